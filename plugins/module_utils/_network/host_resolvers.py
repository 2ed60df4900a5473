# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name servers that the host uses, and its routes to them."""

from __future__ import annotations

import ipaddress

from .._kernel.interfaces import lookup_routes
from .plan.view import HostDns, Resolver

# Upstream servers of a stub resolver on the loopback: systemd-resolved(8), NetworkManager(8).
UPSTREAM = ("/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf")


def host_dns() -> HostDns:
    """Return the name servers, search domains and options of the host's resolv.conf(5).

    If /etc/resolv.conf names only a stub on the loopback, the file with the upstream servers is read instead, if it
    exists.
    """
    own = _lines("/etc/resolv.conf")
    found = [lines for lines in map(_lines, UPSTREAM) if lines]
    lines = own if any(not _is_loopback(server) for server in _values(own, "nameserver")) or not found else found[0]
    servers = list(dict.fromkeys(server for server in _values(lines, "nameserver") if _is_address(server)))
    ways = lookup_routes([server for server in servers if "%" not in server])
    return HostDns(
        tuple(Resolver(server, *ways.get(server, (False, None))) for server in servers),
        # The last line wins (resolv.conf(5)); domain is the old name for a single search domain.
        tuple(next((row[1:] for row in reversed(lines) if row[0] in ("search", "domain")), ())),
        tuple(option for row in lines if row[0] == "options" for option in row[1:]),
    )


def _lines(path: str) -> list[list[str]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            rows = [line.split() for line in file]
    except FileNotFoundError:
        return []
    return [row for row in rows if row and row[0] in ("nameserver", "search", "domain", "options")]


def _values(lines: list[list[str]], keyword: str) -> list[str]:
    return [row[1] for row in lines if row[0] == keyword and len(row) > 1]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(text: str) -> bool:
    return not _is_address(text) or ipaddress.ip_address(text.partition("%")[0]).is_loopback
