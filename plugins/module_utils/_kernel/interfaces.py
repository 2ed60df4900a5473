# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links, addresses and routes. They are read by rtnetlink.py and changed by pyroute2.

Only this file imports pyroute2, and it uses only functions that are the same in releases 0.7.2 and 0.9.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._errors import EffectFailed, HostNotCapable
from . import syscalls
from .rtnetlink import (
    MOST_OF_ONE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_GETRULE,
    Message,
    Reader,
    parse_attributes,
)

# include/uapi/linux/rtnetlink.h, if_addr.h, if_link.h, if.h, fib_rules.h, neighbour.h
RT_TABLE_MAIN, RT_TABLE_LOCAL, RT_SCOPE_LINK, RTPROT_KERNEL, RTPROT_RA = 254, 255, 253, 2, 9
RTN_UNICAST, RTN_LOCAL = 1, 2
IFA_F_NODAD, IFF_UP, NUD_PERMANENT = 0x02, 0x1, 0x80
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_GROUP, IFLA_EXT_MASK = 1, 3, 4, 18, 27, 29
IFLA_PROP_LIST, IFLA_ALT_IFNAME = 52, 53
IFLA_INFO_KIND, RTEXT_FILTER_SKIP_STATS = 1, 8
IFA_ADDRESS, RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_MULTIPATH, RTA_TABLE = 1, 1, 4, 5, 9, 15
FRA_TABLE, FR_ACT_TO_TBL = 15, 1
# struct ifinfomsg: family, type, index, flags, change; ifaddrmsg: family, prefixlen, flags, scope, index; rtmsg and
# fib_rule_hdr: family, dst_len, src_len, tos, table, protocol (of rules: res1, res2), scope, type (action), flags.
_LINK, _ADDRESS, _ROUTE = struct.Struct("=BxHiII"), struct.Struct("=BBBBI"), struct.Struct("=8BI")
# Groups of interfaces that are deleted together have random numbers from here on; users choose small ones.
_LEAST_GROUP = 1 << 30
_SHORT = {IFLA_EXT_MASK: struct.pack("=I", RTEXT_FILTER_SKIP_STATS)}


class Route(NamedTuple):
    """A route by one interface to the network `destination`. A `local` route leads to the host itself."""

    destination: str
    gateway: str | None = None
    local: bool = False


@dataclass(frozen=True)
class Interface:
    """The state of an interface in the kernel. `routes` are those that a program set, without the kernel's own."""

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    altnames: frozenset[str]
    addresses: frozenset[str]
    routes: frozenset[Route]


@contextlib.contextmanager
def in_network_namespace(netns_fd: int) -> Iterator[None]:
    """Run the block in the network namespace `netns_fd`, and return to the caller's namespace in any case.

    A netlink socket stays in the namespace that it was opened in; /proc/sys/net shows the namespace of the caller.
    """
    previous = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(netns_fd, syscalls.CLONE_NEWNET)
        try:
            yield
        finally:
            syscalls.setns(previous, syscalls.CLONE_NEWNET)
    finally:
        os.close(previous)


@contextlib.contextmanager
def open_rtnetlink(netns_fd: int | None = None) -> Iterator[Rtnetlink]:
    """Open rtnetlink in the caller's network namespace, or in `netns_fd`, for the block.

    Raises HostNotCapable if pyroute2 is missing. An error of the kernel in the block is raised as EffectFailed.
    """
    _require_pyroute2()
    with contextlib.ExitStack() as stack:
        with in_network_namespace(netns_fd) if netns_fd is not None else contextlib.nullcontext():
            reader = stack.enter_context(Reader())
        netlink = Rtnetlink(reader, netns_fd)
        stack.callback(netlink.close)
        with refusals_as_errors():
            yield netlink


@contextlib.contextmanager
def refusals_as_errors() -> Iterator[None]:
    """Raise an error of the kernel in the block as EffectFailed: pyroute2's own is no OSError."""
    try:
        yield
    except Exception as error:
        refusal = _as_refusal(error)
        if refusal is None:
            raise
        raise refusal from error


def _require_pyroute2() -> None:
    """Raise HostNotCapable if pyroute2 is missing. It is not imported: that takes longer than to read all links."""
    if sys.modules.get("pyroute2") is not None:
        return
    if sys.flags.no_site:
        # Python was started with -S, which makes the start faster, and lacks the site directories.
        import site

        site.main()
    if importlib.util.find_spec("pyroute2") is None:
        raise HostNotCapable(
            "the Python library pyroute2 is missing",
            "run apt-get install python3-pyroute2, or pip install pyroute2 for Ansible's interpreter",
        )


def _as_refusal(error: Exception) -> EffectFailed | None:
    """Return the error for a change that the kernel refused, or None for another error."""
    if sys.modules.get("pyroute2") is None:
        return None
    from pyroute2.netlink.exceptions import NetlinkError

    if not isinstance(error, NetlinkError):
        return None
    if error.code == errno.ENODEV:
        return EffectFailed(
            "an interface vanished while the network was changed: another program has deleted it, or its container has "
            "ended",
            "run this again",
        )
    return EffectFailed(f"the kernel refused a change of the network ({error})")


class Rtnetlink:
    """rtnetlink(7) in one network namespace."""

    def __init__(self, reader: Reader, netns_fd: int | None) -> None:
        self._reader = reader
        self._netns_fd = netns_fd
        self._opened: Any = None

    @property
    def _ipr(self) -> Any:
        """pyroute2's IPRoute, which is imported by the first change."""
        if self._opened is None:
            from pyroute2 import IPRoute

            with in_network_namespace(self._netns_fd) if self._netns_fd is not None else contextlib.nullcontext():
                self._opened = IPRoute()
        return self._opened

    def close(self) -> None:
        """Close pyroute2's socket, if it was opened."""
        if self._opened is not None:
            self._opened.close()

    def _link(self, name: str = "", index: int = 0) -> Message | None:
        named = {IFLA_IFNAME: name.encode() + b"\0"} if name else {}
        return self._reader.get(RTM_GETLINK, _LINK, (0, 0, index, 0, 0), {**named, **_SHORT})

    def index(self, name: str) -> int | None:
        """Return the index of the interface `name`, or None."""
        link = self._link(name)
        return link.fixed[2] if link is not None else None

    def interface(self, name: str) -> Interface | None:
        """Return the interface `name`, or None. The kernel lists only the addresses and routes of this interface.

        Raises EffectFailed if it has more than 4096 addresses or routes.
        """
        link = self._link(name)
        if link is None:
            return None
        index, attributes = link.fixed[2], link.attributes
        try:
            addresses, routes = self._addresses(index), self._routes_by(index)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None  # deleted between two requests
            raise
        info = dict(parse_attributes(attributes.get(IFLA_LINKINFO, b"")))
        names = parse_attributes(attributes.get(IFLA_PROP_LIST, b""))
        return Interface(
            index,
            _text(attributes[IFLA_IFNAME]),
            _text(info.get(IFLA_INFO_KIND, b"")),
            ":".join(f"{byte:02x}" for byte in attributes.get(IFLA_ADDRESS, b"")),
            struct.unpack("=I", attributes[IFLA_MTU])[0],
            bool(link.fixed[3] & IFF_UP),
            frozenset(_text(value) for number, value in names if number == IFLA_ALT_IFNAME),
            frozenset(address for address, _index in addresses),
            routes,
        )

    def _addresses(self, index: int = 0) -> list[tuple[str, int]]:
        """Return (address with prefix length, index of its interface), of one interface or of all."""
        most = MOST_OF_ONE if index else None
        found = self._reader.dump(RTM_GETADDR, _ADDRESS, (0, 0, 0, 0, index), {}, most)
        return [
            (f"{_ip(a.attributes[IFA_ADDRESS])}/{a.fixed[1]}", a.fixed[4]) for a in found if IFA_ADDRESS in a.attributes
        ]

    def _routes(self, index: int = 0) -> Iterator[Message]:
        """Yield the routes of both IP versions, by one interface or by all. Some may appear more than once."""
        oif = {RTA_OIF: struct.pack("=I", index)} if index else {}
        for family in (socket.AF_INET, socket.AF_INET6):
            request = (family, 0, 0, 0, 0, 0, 0, 0, 0)
            yield from self._reader.dump(RTM_GETROUTE, _ROUTE, request, oif, MOST_OF_ONE if index else None)
            # The kernel does not report an inconsistent dump of IPv6 routes (inet6_dump_fib): one in a hundred if they
            # change all the time. Routes by one interface are dumped in one piece.
            for _again in range(2 if family == socket.AF_INET6 and not index else 0):
                yield from self._reader.dump(RTM_GETROUTE, _ROUTE, request, oif)

    def _routes_by(self, index: int) -> frozenset:
        found = set()
        for route in self._routes(index):
            kind = route.fixed[7]
            if route.fixed[5] != RTPROT_KERNEL and kind in (RTN_UNICAST, RTN_LOCAL):
                gateway = route.attributes.get(RTA_GATEWAY)
                found.add(Route(_destination(route), _ip(gateway) if gateway else None, kind == RTN_LOCAL))
        return frozenset(found)

    def _names(self) -> dict[int, str]:
        links = self._reader.dump(RTM_GETLINK, _LINK, (0, 0, 0, 0, 0), _SHORT)
        return {link.fixed[2]: _text(link.attributes[IFLA_IFNAME]) for link in links}

    def names(self, prefix: str) -> list[str]:
        """Return the names of the interfaces that begin with `prefix`."""
        return sorted(name for name in self._names().values() if name.startswith(prefix))

    def networks(self) -> list[tuple[str, str]]:
        """Return (network, interface) of every address and of every unicast or local route.

        Only routes in a table to which a rule (ip-rule(8)) leads. Routes that discard packets (blackhole and others)
        are omitted.
        """
        names, tables = self._names(), self._tables()
        found = {(address, names.get(index, "?")) for address, index in self._addresses()}
        for route in self._routes():
            if route.fixed[7] in (RTN_UNICAST, RTN_LOCAL) and _table(route) in tables:
                found.add((_destination(route), names.get(_interface_of(route), "?")))
        return sorted(found)

    def _tables(self) -> set[int]:
        """Return the tables in which the kernel looks up routes, according to its rules."""
        tables = set()
        for family in (socket.AF_INET, socket.AF_INET6):
            for rule in self._reader.dump(RTM_GETRULE, _ROUTE, (family, 0, 0, 0, 0, 0, 0, 0, 0), {}):
                if rule.fixed[7] == FR_ACT_TO_TBL:
                    tables.add(_table(rule, FRA_TABLE))
        return tables

    def router_advertisement_interfaces(self) -> list[str]:
        """Return the interfaces with an IPv6 default route from a router advertisement (RTPROT_RA)."""
        names = self._names()
        defaults = (r for r in self._routes() if r.fixed[0] == socket.AF_INET6 and not r.fixed[1])
        found = {_interface_of(route) for route in defaults if route.fixed[5] == RTPROT_RA}
        return sorted(names[index] for index in found if index in names)

    def add_veth(self, name: str, peer: str, peer_netns: int, *, mac: str, mtu: int) -> None:
        """Create a veth pair: `name` here, and `peer` with the address `mac` in the namespace of `peer_netns`."""
        other = {"ifname": peer, "net_ns_fd": peer_netns, "address": mac, "mtu": mtu}
        self._ipr.link("add", ifname=name, kind="veth", mtu=mtu, peer=other)

    def add_altname(self, index: int, altname: str) -> None:
        self._ipr.link("property_add", index=index, altname=altname)

    def set_up(self, index: int) -> None:
        self._ipr.link("set", index=index, state="up")

    def add_address(self, index: int, address: str) -> None:
        """Add `address` (with its prefix length), usable at once: IPv6 without duplicate address detection."""
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
            # With a lower priority than the kernel's own route to the same destination.
            more.update(table=RT_TABLE_LOCAL, type="local", priority=4096)
        # Not "add": IPv6 refuses a second route to the same destination in this table, even by another interface.
        self._ipr.route("append", family=family, dst=route.destination, oif=index, **more)

    def add_neighbors(self, index: int, neighbors: Iterable[tuple[str, str]]) -> None:
        """Add permanent neighbor entries of (address, hardware address) (NUD_PERMANENT, ip-neighbour(8))."""
        for address, mac in neighbors:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self._ipr.neigh("replace", family=family, dst=address, lladdr=mac, ifindex=index, state=NUD_PERMANENT)

    def delete(self, *names: str) -> None:
        """Delete interfaces with their addresses, routes and peers. Those that do not exist are skipped.

        Several of them become a group, which is deleted as a whole: the kernel waits some milliseconds until nothing
        uses an interface any more, and does so only once for a group (rtnl_group_dellink, netdevice(7)).
        """
        indexes = [index for index in map(self.index, names) if index is not None]
        if not indexes:
            return
        netlink = self._ipr
        from pyroute2.netlink.exceptions import NetlinkError

        def change(verb: str, **attributes: int) -> None:
            try:
                netlink.link(verb, **attributes)
            except NetlinkError as error:
                # Deleted by another program meanwhile.
                if error.code != errno.ENODEV:
                    raise

        if len(indexes) > 1:
            group = _LEAST_GROUP + int.from_bytes(os.urandom(4), "big") % _LEAST_GROUP
            for index in indexes:
                change("set", index=index, group=group)
            if self._members(group) <= set(indexes):
                change("del", group=group)
        for index in indexes:
            if self._link(index=index) is not None:
                change("del", index=index)

    def _members(self, group: int) -> set[int]:
        links = self._reader.dump(RTM_GETLINK, _LINK, (0, 0, 0, 0, 0), _SHORT)
        packed = struct.pack("=I", group)
        return {link.fixed[2] for link in links if link.attributes.get(IFLA_GROUP) == packed}


def lookup_routes(addresses: Iterable[str]) -> dict[str, tuple[bool, str | None]]:
    """Return for each address whether it is local to this host, and the interface of the route to it.

    Addresses without a route are omitted. Works without pyroute2.
    """
    found = {}
    with Reader() as reader:
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            raw = socket.inet_pton(family, address)
            route = reader.get(RTM_GETROUTE, _ROUTE, (family, len(raw) * 8, 0, 0, 0, 0, 0, 0, 0), {RTA_DST: raw})
            if route is not None:
                name = None
                with contextlib.suppress(OSError):
                    name = socket.if_indextoname(_interface_of(route))
                found[address] = (route.fixed[7] == RTN_LOCAL, name)
    return found


def _text(raw: bytes) -> str:
    """Decode a name of the kernel, which may contain any bytes."""
    return raw.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _ip(raw: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET6 if len(raw) == 16 else socket.AF_INET, raw)


def _destination(route: Message) -> str:
    family, length = route.fixed[:2]
    address = route.attributes.get(RTA_DST) or bytes(16 if family == socket.AF_INET6 else 4)
    return f"{_ip(address)}/{length}"


def _table(message: Message, attribute: int = RTA_TABLE) -> int:
    wide = message.attributes.get(attribute)
    return struct.unpack("=I", wide)[0] if wide else message.fixed[4]


def _interface_of(route: Message) -> int:
    """Return the index of the interface of `route`, the first of several (struct rtnexthop), or 0 if it has none."""
    hops = route.attributes.get(RTA_MULTIPATH, b"")
    index = route.attributes.get(RTA_OIF) or hops[4:8]
    return struct.unpack("=I", index)[0] if index else 0
