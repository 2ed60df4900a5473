# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name servers for the /etc/resolv.conf of a container. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from ..spec.network import NetworkSpec, link_name
from .firewall_rules import DNS
from .view import NetworkView, Resolver


@dataclass(frozen=True)
class NameServers:
    """Name servers for resolv.conf(5), and those of the host that the container cannot reach, each with the reason."""

    servers: tuple[str, ...]
    left: dict[str, str] = field(default_factory=dict)


def name_servers(view: NetworkView, spec: NetworkSpec) -> NameServers | None:
    """Return the servers of the option dns, or else, with internet, the reachable servers of the host.

    None means that the container's own file is left alone.
    """
    if spec.dns is not None:
        return NameServers(spec.dns)
    if not spec.internet:
        return None
    reasons = {found.address: _unreachable(view, found, spec) for found in view.host_dns.servers}
    left = {address: why for address, why in reasons.items() if why}
    return NameServers(tuple(address for address in reasons if address not in left), left)


def _unreachable(view: NetworkView, found: Resolver, spec: NetworkSpec) -> str:
    """Return why a container with `spec` cannot reach the server, or ""."""
    address = ipaddress.ip_address(found.address.partition("%")[0])
    is_own = str(address) in (spec.ipv4, spec.ipv6)
    is_called = found.is_host or is_own or (found.interface is not None and _is_peer(view, found.interface, spec))
    is_behind = found.interface is not None and not is_called
    reasons = {
        "a loopback address of the host": address.is_loopback or address.is_unspecified,
        "a link-local address": address.version == 6 and address.is_link_local,
        "a multicast address": address.is_multicast,
        "the container has no IPv6": address.version == 6 and spec.ipv6 is None,
        "an address of the host, but host_access is false": found.is_host and not spec.host_access,
        f"reached through {found.interface}, but uplink is {spec.uplink}": (
            is_behind and spec.uplink and found.interface != spec.uplink
        ),
        f"reached through {found.interface}, which has no default route": (
            is_behind and not spec.uplink and found.interface not in view.uplinks
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _is_peer(view: NetworkView, interface: str, spec: NetworkSpec) -> bool:
    """Return whether a container with `spec` may send DNS queries to the container at `interface`."""
    entries = (e for e in spec.peers if link_name(e.peer) == interface and view.peer_of(e) is not None)
    return any(not e.ports or any(p.protocol == "udp" and p.first <= DNS <= p.last for p in e.ports) for e in entries)


def resolv_conf(view: NetworkView, spec: NetworkSpec) -> list[str] | None:
    """Return our lines for resolv.conf(5), or None if the file is not managed."""
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
    """Return warnings about name servers of the host that container `name` cannot reach."""
    container = view.containers.get(name)
    spec = container.spec if container else None
    found = name_servers(view, spec) if spec else None
    if found is None or spec is None or spec.dns is not None:
        return []
    if not found.servers:
        reasons = "".join(f"; {address}: {why}" for address, why in found.left.items())
        return [f"container {name}: no name server of the host is reachable from it{reasons}. Set dns."]
    if not found.left:
        return []
    reasons = ", ".join(f"{address} ({why})" for address, why in found.left.items())
    return [
        f"container {name}: it cannot reach the host's name server {reasons}. "
        f"It uses {', '.join(found.servers)}. Set dns to choose others."
    ]
