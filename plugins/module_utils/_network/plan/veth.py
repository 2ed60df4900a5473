# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of a container's veth pair: their wanted settings, and the problems of an existing pair. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..spec.network import INNER_LINK, Link

ANY4, ANY6, LOOPBACK6 = "0.0.0.0/0", "::/0", "::1/128"
# Fixed, so that neighbor discovery starts at once, without duplicate address detection on a link of two. With /128 no
# end has an on-link network, so a container cannot fill the kernel's global neighbor table with made-up addresses.
OUTER_LINK_LOCAL, INNER_LINK_LOCAL = "fe80::1/128", "fe80::2/128"

# destination, gateway, whether it is a local route to the host itself
Route = tuple[str, "str | None", bool]


@dataclass(frozen=True)
class End:
    """One end of a pair as found in the kernel."""

    kind: str
    mac: str
    mtu: int
    up: bool
    altnames: frozenset[str]
    addresses: frozenset[str]
    routes: frozenset[Route]


@dataclass(frozen=True)
class Pair:
    """A pair as found. `inner` is None if the container end is missing or was not read.

    `guarded`: the host end passes no packets without a firewall (_kernel/link_guard.py).
    """

    outer: End
    inner: End | None = None
    sysctls: Mapping[str, str | None] = field(default_factory=dict)
    guarded: bool = True

    def routes_localnet(self, outer: str) -> bool:
        """Return whether the host end routes replies to 127.0.0.0/8."""
        return self.sysctls.get(localnet_sysctl(outer)) == "1"


def outer_addresses(link: Link) -> list[str]:
    """Return the gateway addresses, which every host end has."""
    return [f"{link.gateway4}/32"] + ([OUTER_LINK_LOCAL, f"{link.gateway6}/128"] if link.ipv6 else [])


def inner_addresses(link: Link) -> list[str]:
    """Return the container's own addresses."""
    return [f"{link.ipv4}/32"] + ([INNER_LINK_LOCAL, f"{link.ipv6}/128"] if link.ipv6 else [])


def outer_routes(link: Link) -> list[Route]:
    """Return the host's routes to the container."""
    routes: list[Route] = [(f"{link.ipv4}/32", None, False)]
    if link.ipv6:
        # The kernel looks up ::1 per interface (rt6_need_strict). Replies to [::1] that arrive on this link, with their
        # addresses already translated, find the host only by a local route through it. Packets that arrive with ::1 in
        # them are dropped by the kernel before any table (ip6_rcv_core), so nothing else is admitted.
        routes += [(INNER_LINK_LOCAL, None, False), (f"{link.ipv6}/128", None, False), (LOOPBACK6, None, True)]
    return routes


def inner_routes(link: Link) -> list[Route]:
    """Return the container's routes, all through the gateway."""
    routes: list[Route] = [(f"{link.gateway4}/32", None, False), (ANY4, link.gateway4, False)]
    if link.ipv6:
        routes += [(OUTER_LINK_LOCAL, None, False), (f"{link.gateway6}/128", None, False), (ANY6, link.gateway6, False)]
    return routes


def outer_sysctls(link: Link) -> dict[str, str]:
    """Return the sysctls of the host end, which last as long as the link."""
    return {**_ipv6_sysctls(link.outer), _broadcast_sysctl(link.outer): "0"} if link.ipv6 else {}


def _broadcast_sysctl(outer: str) -> str:
    """Return the sysctl that must be 0: admitted packets are broadcasts until the next chain (firewall_rules.py)."""
    return f"net/ipv6/conf/{outer}/drop_unicast_in_l2_multicast"


def localnet_sysctl(outer: str) -> str:
    """Return the sysctl that routes replies to 127.0.0.0/8 on the host end, set only if a port is exposed."""
    return f"net/ipv4/conf/{outer}/route_localnet"


def outer_neighbors(link: Link) -> list[tuple[str, str]]:
    """Return (address, MAC address) of the container, for permanent neighbor entries of the host."""
    return [(address, link.mac) for address in (link.ipv4, link.ipv6) if address]


def inner_neighbors(link: Link, outer_mac: str) -> list[tuple[str, str]]:
    """Return (address, MAC address) of the gateway, for permanent neighbor entries of the container."""
    return [(address, outer_mac) for address in (link.gateway4, link.gateway6 if link.ipv6 else None) if address]


def sysctl_names(outer: str) -> list[str]:
    """Return all sysctls that `outer_sysctls` and `localnet_sysctl` may name for the host end `outer`."""
    return [localnet_sysctl(outer), _broadcast_sysctl(outer), *_ipv6_sysctls(outer)]


def inner_sysctls(link: Link) -> dict[str, str]:
    """Return the sysctls of the container end, to be set before it is up."""
    return _ipv6_sysctls(INNER_LINK) if link.ipv6 else {}


def _ipv6_sysctls(name: str) -> dict[str, str]:
    base = f"net/ipv6/conf/{name}"
    return {f"{base}/disable_ipv6": "0", f"{base}/addr_gen_mode": "1", f"{base}/accept_ra": "0"}


def link_problems(link: Link, pair: Pair) -> tuple[str, ...]:
    """Return what `pair` lacks of `link`. Additional addresses and routes are not problems."""
    problems = list(_end_problems(link.outer, pair.outer, link.mtu, link.outer_altname))
    problems += _lacking(link.outer, pair.outer, outer_addresses(link), outer_routes(link))
    problems += [] if pair.guarded else [f"{link.outer} lacks its guard"]
    problems += [
        f"{name} is not {value}" for name, value in outer_sysctls(link).items() if pair.sysctls.get(name) != value
    ]
    if pair.inner is None:
        return (*problems, f"{INNER_LINK} is missing in the container")
    problems += _end_problems(INNER_LINK, pair.inner, link.mtu, link.inner_altname)
    if pair.inner.mac != link.mac:
        problems.append(f"{INNER_LINK} has the MAC address {pair.inner.mac}")
    problems += _lacking(INNER_LINK, pair.inner, inner_addresses(link), inner_routes(link))
    return tuple(problems)


def _end_problems(name: str, end: End, mtu: int, altname: str) -> Iterator[str]:
    if end.kind != "veth":
        yield f"{name} is of kind {end.kind or 'none'}"
    if not end.up:
        yield f"{name} is down"
    if end.mtu != mtu:
        yield f"{name} has mtu {end.mtu}"
    if altname not in end.altnames:
        yield f"{name} lacks the name {altname}"


def _lacking(name: str, end: End, addresses: list[str], routes: list[Route]) -> list[str]:
    lacking = [address for address in addresses if address not in end.addresses]
    lacking += [f"the route to {route[0]}" for route in routes if route not in end.routes]
    return [f"{name} lacks {what}" for what in lacking]
