# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name servers that the host itself uses, as far as a container can reach them."""

from __future__ import annotations

import ipaddress

# The real servers behind the stub on 127.0.0.53 (systemd-resolved(8)).
UPSTREAM = "/run/systemd/resolve/resolv.conf"


def host_resolvers() -> tuple[str, ...]:
    """Lines for a container's resolv.conf: servers that are not on the host's loopback, search domains and options."""
    lines = _lines("/etc/resolv.conf")
    if not any(line.startswith("nameserver") for line in lines):
        lines = _lines(UPSTREAM) or lines
    return tuple(lines)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            rows = [line.split() for line in file]
    except FileNotFoundError:
        return []
    return [
        " ".join(row)
        for row in rows
        if row and (row[0] in ("search", "domain", "options") or (row[0] == "nameserver" and _is_remote(row[1:2])))
    ]


def _is_remote(values: list[str]) -> bool:
    try:
        return not ipaddress.ip_address(values[0].partition("%")[0]).is_loopback
    except (IndexError, ValueError):
        return False
