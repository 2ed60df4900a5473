# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which name servers a container has in its /etc/resolv.conf. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from ..spec.network import NetworkSpec
from .view import NetworkView, Resolver


@dataclass(frozen=True)
class NameServers:
    """`servers` are in resolv.conf(5); those of the host that the container does not reach are `left`, with reasons."""

    servers: tuple[str, ...]
    left: dict[str, str] = field(default_factory=dict)


def name_servers(view: NetworkView, spec: NetworkSpec) -> NameServers | None:
    """Those of the option dns; without it, with internet, those of the host that the container reaches; else None."""
    if spec.dns is not None:
        return NameServers(spec.dns)
    if not spec.internet:
        return None
    reasons = {found.address: _unreachable(found, spec) for found in view.host_dns.servers}
    left = {address: why for address, why in reasons.items() if why}
    return NameServers(tuple(address for address in reasons if address not in left), left)


def _unreachable(found: Resolver, spec: NetworkSpec) -> str:
    """Why the container of `spec` does not reach the server, or ""."""
    address = ipaddress.ip_address(found.address.partition("%")[0])
    other_way = not found.is_host and found.interface not in (None, spec.interface)
    reasons = {
        "the host's loopback": address.is_loopback or address.is_unspecified,
        "a link-local address": address.version == 6 and address.is_link_local,
        "a multicast address": address.is_multicast,
        "the container has no IPv6": address.version == 6 and spec.ipv6 is None,
        "an address of the host, and host_access is false": found.is_host and not spec.host_access,
        f"reached by {found.interface}, and the container goes out by {spec.interface}": spec.interface and other_way,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def resolv_conf(view: NetworkView, spec: NetworkSpec) -> list[str] | None:
    """Lines of ours for resolv.conf(5); None if the file is the container's business."""
    found = name_servers(view, spec)
    if found is None and spec.dns_search is None and spec.dns_options is None:
        return None
    inherited = spec.dns is None and spec.internet
    search = spec.dns_search if spec.dns_search is not None else view.host_dns.search if inherited else ()
    options = spec.dns_options if spec.dns_options is not None else view.host_dns.options if inherited else ()
    lines = [f"nameserver {server}" for server in (found.servers if found else ())]
    lines += [f"search {' '.join(search)}"] if search else []
    return lines + ([f"options {' '.join(options)}"] if options else [])


def name_server_warnings(view: NetworkView, name: str) -> list[str]:
    """What the container `name` lacks of its host's name servers."""
    container = view.containers.get(name)
    spec = container.spec if container else None
    found = name_servers(view, spec) if spec else None
    if found is None or spec is None or spec.dns is not None:
        return []
    if not found.servers:
        reasons = "".join(f"; {address}: {why}" for address, why in found.left.items())
        return [f"{name}: the host has no name server that the container reaches{reasons}. Set dns."]
    if not found.left:
        return []
    reasons = ", ".join(f"{address} ({why})" for address, why in found.left.items())
    return [
        f"{name}: it does not reach the host's name server {reasons}. It gets {', '.join(found.servers)}; or set dns."
    ]
