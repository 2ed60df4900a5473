# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One interface of a network namespace that somebody else rules, by questions whose answers are short (rtnetlink(7)).

Those inside may have any number of links, addresses and routes, with names of any bytes. So nothing is listed: the
kernel is asked for one link by its name, for the addresses of that link, and which route it would take.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable, Iterator

from .netlink import IFF_UP, RTN_UNICAST, Interface, Route, entered

# include/uapi/linux/netlink.h, rtnetlink.h, if_link.h, if_addr.h
_NLM_F_REQUEST, _NLM_F_DUMP, _NLM_F_DUMP_INTR, _NLMSG_ERROR, _NLMSG_DONE = 0x1, 0x300, 0x10, 2, 3
_SOL_NETLINK, _NETLINK_GET_STRICT_CHK = 270, 12
_RTM_GETLINK, _RTM_GETADDR, _RTM_GETROUTE, _RTM_F_FIB_MATCH = 18, 22, 26, 0x2000
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_PROP_LIST, _IFLA_ALT_IFNAME = 1, 3, 4, 18, 52, 53
_IFLA_INFO_KIND, _IFA_ADDRESS, _RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 1, 1, 4, 5
# Seconds for an answer; bytes of one, which those inside may fill with up to 64 KiB of names; addresses of a link.
_PATIENCE, _LARGEST, _MOST_ADDRESSES = 5.0, 1 << 18, 4096
# Where a default route leads: an address that is in no other network (RFC 5737, RFC 3849).
_FAR = {4: "192.0.2.1", 6: "2001:db8::1"}


def look_at_interface(netns_fd: int, name: str, routes: Iterable[Route]) -> Interface | None:
    """The interface `name` of the namespace, or None; of its routes those of `routes` that hold.

    A default route also holds if those inside have put more special ones before it. Raises OSError.
    """
    with contextlib.ExitStack() as stack:
        with entered(netns_fd):
            # One for each listing, for that may not be read to its end.
            asking, *listing = [stack.enter_context(_socket()) for _ in range(3)]
        link = _answer(asking, _RTM_GETLINK, bytes(16) + _attribute(_IFLA_IFNAME, name.encode() + b"\0"))
        if link is None:
            return None
        _, _, index, flags, _ = struct.unpack_from("=BxHiII", link)
        found = dict(_attributes(link[16:]))
        return Interface(
            index,
            name,
            _text(dict(_attributes(found.get(_IFLA_LINKINFO, b""))).get(_IFLA_INFO_KIND, b"")),
            found.get(_IFLA_ADDRESS, b"").hex(":"),
            int.from_bytes(found.get(_IFLA_MTU, b""), _ORDER),
            bool(flags & IFF_UP),
            frozenset(_text(v) for key, v in _attributes(found.get(_IFLA_PROP_LIST, b"")) if key == _IFLA_ALT_IFNAME),
            frozenset(_addresses(listing, index)),
            frozenset(route for route in routes if _holds(asking, index, route)),
        )


def _socket() -> socket.socket:
    asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    asking.settimeout(_PATIENCE)
    asking.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
    return asking


def _addresses(listing: Iterable[socket.socket], index: int) -> set[str]:
    found: set[str] = set()
    for family, asking in zip((socket.AF_INET, socket.AF_INET6), listing):
        # The kernel lists those of this link only; after the bound there is nothing of ours, whose come first.
        for message in _answers(asking, _RTM_GETADDR, struct.pack("=BBBBI", family, 0, 0, 0, index)):
            _, prefix, _, _, of = struct.unpack_from("=BBBBI", message)
            address = dict(_attributes(message[8:])).get(_IFA_ADDRESS)
            if of == index and address:
                found.add(f"{ipaddress.ip_address(address)}/{prefix}")
    return found


def _holds(asking: socket.socket, index: int, route: Route) -> bool:
    """Whether the kernel takes `route` for the addresses that it is for (ip-route(8), `get fibmatch`)."""
    network = ipaddress.ip_network(route.destination)
    asked = ipaddress.ip_address(_FAR[network.version]) if not network.prefixlen else network.network_address
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    head = struct.pack("=BBBBBBBBI", family, network.max_prefixlen, 0, 0, 0, 0, 0, 0, _RTM_F_FIB_MATCH)
    try:
        answer = _answer(asking, _RTM_GETROUTE, head + _attribute(_RTA_DST, asked.packed))
    except OSError:
        # None at all, or one that says so (blackhole).
        return False
    if answer is None:
        return False
    prefix, kind = answer[1], answer[7]
    if prefix > network.prefixlen:
        return True
    found = dict(_attributes(answer[12:]))
    gateway = found.get(_RTA_GATEWAY)
    by = int.from_bytes(found.get(_RTA_OIF, b""), _ORDER)
    same_gateway = (gateway and str(ipaddress.ip_address(gateway))) == route.gateway
    return prefix == network.prefixlen and kind == RTN_UNICAST and by == index and same_gateway


_ORDER = "little" if struct.pack("=H", 1) == b"\1\0" else "big"


def _answer(asking: socket.socket, kind: int, body: bytes) -> bytes | None:
    """The one message that answers, without its header; None if there is no such device. Raises OSError."""
    asking.send(struct.pack("=IHHII", 16 + len(body), kind, _NLM_F_REQUEST, 0, 0) + body)
    try:
        return next(_messages(asking))[1]
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise


def _answers(asking: socket.socket, kind: int, body: bytes) -> list[bytes]:
    """The messages of a listing, up to a bound; what changes while it is listed is listed again, a few times."""
    found: list[bytes] = []
    for _ in range(5):
        asking.send(struct.pack("=IHHII", 16 + len(body), kind, _NLM_F_REQUEST | _NLM_F_DUMP, 0, 0) + body)
        found, torn = [], False
        for flags, message in _messages(asking):
            torn = torn or bool(flags & _NLM_F_DUMP_INTR)
            found.append(message)
            if len(found) == _MOST_ADDRESSES:
                return found
        if not torn:
            break
    return found


def _messages(asking: socket.socket) -> Iterator[tuple[int, bytes]]:
    """(flags, content) of each message up to the end of a listing. Raises OSError."""
    while True:
        data, _, flags, _ = asking.recvmsg(_LARGEST)
        if flags & socket.MSG_TRUNC:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        while len(data) >= 16:
            size, kind, bits, _, _ = struct.unpack_from("=IHHII", data)
            content, data = data[16:size], data[(size + 3) & ~3 :]
            if kind == _NLMSG_ERROR:
                number = -struct.unpack_from("=i", content)[0]
                raise OSError(number, os.strerror(number))
            if kind == _NLMSG_DONE:
                return
            yield bits, content


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            return
        # Without the bits that say how it is to be read (NLA_TYPE_MASK).
        yield kind & 0x3FFF, data[4:size]
        data = data[(size + 3) & ~3 :]


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", errors="backslashreplace")
