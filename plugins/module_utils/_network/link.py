# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's veth pair: looked at, made, deleted."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

from .._errors import Conflict
from .._linux.netlink import Interface, Route, Routing, entered, routing
from .._linux.sysctl import read_sysctl, write_sysctl
from .._model.network import INNER_LINK, Link

ANY4, ANY6, LOOPBACK6 = "0.0.0.0/0", "::/0", "::1/128"
# Fixed, so that neighbour discovery can begin at once, without a search for duplicates on a link of two.
OUTER_LINK_LOCAL, INNER_LINK_LOCAL = "fe80::1/64", "fe80::2/64"


def _outer_addresses(link: Link) -> list[str]:
    return [f"{link.gateway4}/32"] + ([OUTER_LINK_LOCAL, f"{link.gateway6}/128"] if link.ipv6 else [])


def _inner_addresses(link: Link) -> list[str]:
    return [f"{link.ipv4}/32"] + ([INNER_LINK_LOCAL, f"{link.ipv6}/128"] if link.ipv6 else [])


def _outer_routes(link: Link) -> list[Route]:
    routes = [Route(f"{link.ipv4}/32")]
    if link.ipv6:
        # The kernel looks up ::1 per interface (rt6_need_strict): replies to [::1] that come back by this one, with
        # their addresses already translated, find the host only by a local route through it. What arrives with ::1 in
        # it from outside the kernel drops before any table sees it (ip6_rcv_core), so nothing else is let in.
        routes += [Route(f"{link.ipv6}/128"), Route(LOOPBACK6, local=True)]
    return routes


def _inner_routes(link: Link) -> list[Route]:
    routes = [Route(f"{link.gateway4}/32"), Route(ANY4, link.gateway4)]
    if link.ipv6:
        routes += [Route(f"{link.gateway6}/128"), Route(ANY6, link.gateway6)]
    return routes


def _outer_sysctls(link: Link) -> dict[str, str]:
    name = link.outer
    settings = {f"net/ipv4/conf/{name}/route_localnet": "1"}  # for calls to 127.0.0.1: see the rules of from_container
    if link.ipv6:
        settings.update(_ipv6_sysctls(name))
    return settings


def _ipv6_sysctls(name: str) -> dict[str, str]:
    base = f"net/ipv6/conf/{name}"
    return {f"{base}/disable_ipv6": "0", f"{base}/addr_gen_mode": "1", f"{base}/accept_ra": "0"}


def look_at_link(link: Link, netns: str) -> tuple[str, ...] | None:
    """What is wrong with `link`, whose inner end belongs into the namespace at `netns`; None: it is missing."""
    with routing() as outside:
        outer = outside.interface(link.outer)
    if outer is None:
        return None
    problems = [f"{link.outer}: {text}" for text in _differences(outer, link, link.outer_altname)]
    problems += _missing(link.outer, outer, _outer_addresses(link), _outer_routes(link))
    for name, value in _outer_sysctls(link).items():
        if read_sysctl(name) != value:
            problems.append(f"{name} is not {value}")
    with _opened(netns) as netns_fd, routing(netns_fd) as inside:
        inner = inside.interface(INNER_LINK)
    if inner is None:
        return (*problems, f"{INNER_LINK} is missing inside")
    problems += [f"{INNER_LINK}: {text}" for text in _differences(inner, link, link.inner_altname)]
    if inner.mac != link.mac:
        problems.append(f"{INNER_LINK} has the address {inner.mac}")
    problems += _missing(INNER_LINK, inner, _inner_addresses(link), _inner_routes(link))
    return tuple(problems)


def link_exists(outer: str) -> bool:
    """Whether there is an interface `outer` in this network namespace. Works without pyroute2."""
    try:
        socket.if_nametoindex(outer)
    except OSError:
        return False
    return True


def _differences(found: Interface, link: Link, altname: str) -> Iterator[str]:
    if found.kind != "veth":
        yield f"is of kind {found.kind or 'none'}"
    if not found.up:
        yield "is down"
    if found.mtu != link.mtu:
        yield f"has mtu {found.mtu}"
    if altname not in found.altnames:
        yield f"lacks the name {altname}"


def _missing(name: str, found: Interface, addresses: list[str], routes: list[Route]) -> list[str]:
    lacking = [address for address in addresses if address not in found.addresses]
    lacking += [f"the route to {route.destination}" for route in routes if route not in found.routes]
    return [f"{name} lacks {what}" for what in lacking]


@contextlib.contextmanager
def _opened(netns: str) -> Iterator[int]:
    fd = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def make_link(link: Link, netns: str) -> None:
    """Make `link` with its inner end in the namespace at `netns`; what is there of it goes before.

    Raises Conflict where the namespace has an interface of that name that is no part of it.
    """
    with _opened(netns) as netns_fd, routing() as outside, routing(netns_fd) as inside:
        outside.delete(link.outer)
        if inside.interface(INNER_LINK) is not None:
            raise Conflict(f"{netns} has an interface {INNER_LINK} that is not ours", "remove it inside the container")
        outside.add_veth(link.outer, INNER_LINK, netns_fd, mac=link.mac, mtu=link.mtu)
        if link.ipv6:
            with entered(netns_fd):
                for name, value in _ipv6_sysctls(INNER_LINK).items():
                    write_sysctl(name, value)
        for name, value in _outer_sysctls(link).items():
            write_sysctl(name, value)
        _configure(inside, INNER_LINK, link.inner_altname, _inner_addresses(link), _inner_routes(link))
        _configure(outside, link.outer, link.outer_altname, _outer_addresses(link), _outer_routes(link))


def _configure(side: Routing, name: str, altname: str, addresses: list[str], routes: list[Route]) -> None:
    found = side.interface(name)
    if found is None:
        raise Conflict(f"the interface {name} vanished while it was set up", "run this again")
    side.add_altname(found.index, altname)
    side.set_up(found.index)
    for address in addresses:
        side.add_address(found.index, address)
    for route in routes:
        side.add_route(found.index, route)


def delete_link(outer: str) -> None:
    """Delete the veth pair with the host end `outer`, wherever its other end is. Nothing happens where it is gone."""
    with routing() as outside:
        outside.delete(outer)
