# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links, addresses and routes: the one file that imports pyroute2, and only what 0.7.2 and 0.9 have alike."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._errors import EffectFailed, HostNotCapable
from . import libc

# include/uapi/linux/rtnetlink.h, if_addr.h, if.h, neighbour.h
RT_TABLE_LOCAL, RT_SCOPE_LINK, RTPROT_KERNEL, RTN_UNICAST, RTN_LOCAL = 255, 253, 2, 1, 2
IFA_F_NODAD, IFF_UP, NUD_PERMANENT = 0x02, 0x1, 0x80


class Route(NamedTuple):
    """A route out of one interface to the network `destination`; `local`: to the host itself."""

    destination: str
    gateway: str | None = None
    local: bool = False


@dataclass(frozen=True)
class Interface:
    """What the kernel says of an interface. `routes` are those that somebody set, without the kernel's own."""

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    altnames: frozenset
    addresses: frozenset
    routes: frozenset


@contextlib.contextmanager
def entered(netns_fd: int) -> Iterator[None]:
    """Run the block in the network namespace of `netns_fd`. Leaves the caller where it was, whatever happens inside.

    A netlink socket stays with the namespace that it was opened in; /proc/sys/net shows the caller's one.
    """
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc.setns(netns_fd, libc.CLONE_NEWNET)
        try:
            yield
        finally:
            libc.setns(home, libc.CLONE_NEWNET)
    finally:
        os.close(home)


@contextlib.contextmanager
def routing(netns_fd: int | None = None) -> Iterator[Routing]:
    """A netlink socket in the caller's network namespace, or in that of `netns_fd`.

    Raises HostNotCapable without pyroute2; inside the block a refusal by the kernel becomes EffectFailed.
    """
    try:
        _find_libraries()
        from pyroute2 import IPRoute
        from pyroute2.netlink.exceptions import NetlinkError
    except ImportError:
        raise HostNotCapable(
            "the Python library pyroute2 is missing",
            "apt-get install python3-pyroute2, or pip install pyroute2 for Ansible's interpreter",
        ) from None
    with entered(netns_fd) if netns_fd is not None else contextlib.nullcontext():
        ipr = IPRoute()
    try:
        yield Routing(ipr, NetlinkError)
    except NetlinkError as error:
        if error.code == errno.ENODEV:
            raise EffectFailed(
                "an interface vanished while the network was looked at or changed: something else has deleted it, or "
                "its container has ended; run this again"
            ) from error
        raise EffectFailed(f"the kernel refused a change of the network ({error})") from error
    finally:
        ipr.close()


def _find_libraries() -> None:
    """Have Python look where it has its libraries, where it did not when it began (option -S, which is quick)."""
    if sys.flags.no_site and "pyroute2" not in sys.modules:
        import site

        site.main()


class Routing:
    """rtnetlink(7) in one network namespace."""

    def __init__(self, ipr: Any, refusal: type[Exception]) -> None:
        self._ipr = ipr
        self._refusal = refusal
        self._addresses: dict[int, set[str]] | None = None
        self._routes: dict[int, set[Route]] | None = None

    def _link(self, name: str) -> Any | None:
        try:
            return self._ipr.link("get", ifname=name)[0]
        except self._refusal as error:
            if error.code == errno.ENODEV:
                return None
            raise

    def index(self, name: str) -> int | None:
        """The number of the interface `name`, or None."""
        link = self._link(name)
        return link["index"] if link is not None else None

    def interface(self, name: str) -> Interface | None:
        """The interface `name`, or None.

        Its addresses and routes are as at the first such look: the kernel tells those of all interfaces at once, which
        on a host with many containers is asked for once.
        """
        link = self._link(name)
        if link is None:
            return None
        index = link["index"]
        names = link.get_attr("IFLA_PROP_LIST")
        return Interface(
            index,
            link.get_attr("IFLA_IFNAME"),
            link.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND") or "",
            link.get_attr("IFLA_ADDRESS") or "",
            link.get_attr("IFLA_MTU"),
            bool(link["flags"] & IFF_UP),
            frozenset(names.get_attrs("IFLA_ALT_IFNAME")) if names else frozenset(),
            frozenset(self._all_addresses().get(index, ())),
            frozenset(self._all_routes().get(index, ())),
        )

    def _all_addresses(self) -> dict[int, set[str]]:
        if self._addresses is None:
            self._addresses = {}
            for found in self._ipr.get_addr():
                address = f"{found.get_attr('IFA_ADDRESS')}/{found['prefixlen']}"
                self._addresses.setdefault(found["index"], set()).add(address)
        return self._addresses

    def _all_routes(self) -> dict[int, set[Route]]:
        if self._routes is None:
            self._routes = {}
            for family in (socket.AF_INET, socket.AF_INET6):
                for found in self._ipr.get_routes(family=family):
                    if found["proto"] != RTPROT_KERNEL and found["type"] in (RTN_UNICAST, RTN_LOCAL):
                        route = Route(_destination(found), found.get_attr("RTA_GATEWAY"), found["type"] == RTN_LOCAL)
                        self._routes.setdefault(found.get_attr("RTA_OIF"), set()).add(route)
        return self._routes

    def names(self, prefix: str) -> list[str]:
        """Interfaces whose name begins with `prefix`."""
        found = (link.get_attr("IFLA_IFNAME") for link in self._ipr.get_links())
        return sorted(name for name in found if name.startswith(prefix))

    def networks(self) -> list[tuple[str, str]]:
        """(network, interface) of every address and route, without the default ones and link-local IPv6."""
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in self._ipr.get_links()}
        found = [
            (f"{a.get_attr('IFA_ADDRESS')}/{a['prefixlen']}", names.get(a["index"], "?")) for a in self._ipr.get_addr()
        ]
        for family in (socket.AF_INET, socket.AF_INET6):
            for route in self._ipr.get_routes(family=family):
                if route["type"] == RTN_UNICAST and route.get_attr("RTA_TABLE") != RT_TABLE_LOCAL and route["dst_len"]:
                    found.append((_destination(route), names.get(route.get_attr("RTA_OIF"), "?")))
        return sorted({entry for entry in found if not entry[0].startswith(("fe80:", "ff00:"))})

    def learned_default(self, family: int = socket.AF_INET6) -> list[str]:
        """Interfaces with a default route that came by router advertisement (RTPROT_RA)."""
        found = []
        for route in self._ipr.get_routes(family=family):
            if not route["dst_len"] and route["proto"] == 9:
                link = self._ipr.link("get", index=route.get_attr("RTA_OIF"))[0]
                found.append(link.get_attr("IFLA_IFNAME"))
        return sorted(set(found))

    def add_veth(self, name: str, peer: str, peer_netns: int, *, mac: str, mtu: int) -> None:
        """A veth pair: `name` here, `peer` (with the address `mac`) in the namespace of the descriptor `peer_netns`."""
        other = {"ifname": peer, "net_ns_fd": peer_netns, "address": mac, "mtu": mtu}
        self._ipr.link("add", ifname=name, kind="veth", mtu=mtu, peer=other)

    def add_altname(self, index: int, altname: str) -> None:
        self._ipr.link("property_add", index=index, altname=altname)

    def set_up(self, index: int) -> None:
        self._ipr.link("set", index=index, state="up")

    def add_address(self, index: int, address: str) -> None:
        """`address` (with its prefix length), usable at once: IPv6 without a search for another who has it."""
        alone, _slash, length = address.partition("/")
        more = {"flags": IFA_F_NODAD} if ":" in alone else {}
        self._ipr.addr("add", index=index, address=alone, prefixlen=int(length), **more)

    def add_route(self, index: int, route: Route) -> None:
        family = socket.AF_INET6 if ":" in route.destination else socket.AF_INET
        more: dict = {}
        if route.gateway:
            more["gateway"] = route.gateway
        elif family == socket.AF_INET:
            more["scope"] = RT_SCOPE_LINK
        if route.local:
            # Behind the kernel's own route of the same destination.
            more.update(table=RT_TABLE_LOCAL, type="local", priority=4096)
        # Not "add": IPv6 refuses a second route of the same destination there, even by another interface.
        self._ipr.route("append", family=family, dst=route.destination, oif=index, **more)

    def add_neighbors(self, index: int, neighbors: Iterable[tuple[str, str]]) -> None:
        """(address, hardware address) of each that is known for good (NUD_PERMANENT, ip-neighbour(8))."""
        for address, mac in neighbors:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self._ipr.neigh("replace", family=family, dst=address, lladdr=mac, ifindex=index, state=NUD_PERMANENT)

    def delete(self, name: str) -> None:
        """Delete the interface `name`, and with it its addresses, routes and its peer. Nothing happens without it."""
        link = self._link(name)
        if link is None:
            return
        try:
            self._ipr.link("del", index=link["index"])
        except self._refusal as error:
            if error.code != errno.ENODEV:
                raise


def _destination(route: Any) -> str:
    address = route.get_attr("RTA_DST") or ("::" if route["family"] == socket.AF_INET6 else "0.0.0.0")
    return f"{address}/{route['dst_len']}"
