# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Query one interface of an untrusted network namespace by requests with short answers (rtnetlink(7)).

Processes inside may create any number of links, addresses and routes, with names of any bytes. So nothing is listed
completely: the requests are one link by its name, the addresses of that link, and the route to a destination.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable

from .interfaces import IFF_UP, RTN_UNICAST, Interface, Route, in_network_namespace
from .rtnetlink import MOST_OF_ONE, RTM_GETADDR, RTM_GETLINK, RTM_GETROUTE, Reader, attribute, parse_attributes

# include/uapi/linux/rtnetlink.h, if_link.h, if_addr.h
_RTM_F_FIB_MATCH = 0x2000
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_PROP_LIST, _IFLA_ALT_IFNAME = 1, 3, 4, 18, 52, 53
_IFLA_INFO_KIND, _IFA_ADDRESS, _RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 1, 1, 4, 5
# Seconds to wait for an answer.
_TIMEOUT = 5.0
# Documentation addresses, to which only a default route leads (RFC 5737, RFC 3849).
_REMOTE = {4: "192.0.2.1", 6: "2001:db8::1"}


def query_interface(netns_fd: int, name: str, routes: Iterable[Route]) -> Interface | None:
    """Return the interface `name` of the namespace, or None; of its routes only those in `routes` that are effective.

    A default route also counts as effective if processes inside have added more specific routes. Raises OSError.
    """
    with contextlib.ExitStack() as stack:
        with in_network_namespace(netns_fd):
            # One socket for each dump: on one socket the kernel starts the next dump only after the end of the last.
            asking, *listing = [stack.enter_context(Reader(_TIMEOUT)) for _ in range(3)]
        link = _answer(asking, RTM_GETLINK, bytes(16) + attribute(_IFLA_IFNAME, name.encode() + b"\0"))
        if link is None:
            return None
        _, _, index, flags, _ = struct.unpack_from("=BxHiII", link)
        found = dict(parse_attributes(link[16:]))
        return Interface(
            index,
            name,
            _text(dict(parse_attributes(found.get(_IFLA_LINKINFO, b""))).get(_IFLA_INFO_KIND, b"")),
            found.get(_IFLA_ADDRESS, b"").hex(":"),
            int.from_bytes(found.get(_IFLA_MTU, b""), sys.byteorder),
            bool(flags & IFF_UP),
            frozenset(
                _text(v) for key, v in parse_attributes(found.get(_IFLA_PROP_LIST, b"")) if key == _IFLA_ALT_IFNAME
            ),
            frozenset(_addresses(listing, index)),
            frozenset(route for route in routes if _is_effective(asking, index, route)),
        )


def _addresses(listing: Iterable[Reader], index: int) -> set[str]:
    """Return the first addresses of the link. Those of this collection come first, so the limit does not drop them."""
    found: set[str] = set()
    for family, asking in zip((socket.AF_INET, socket.AF_INET6), listing):
        # The kernel filters by this link.
        for message in asking.first_payloads(RTM_GETADDR, struct.pack("=BBBBI", family, 0, 0, 0, index), MOST_OF_ONE):
            _, prefix, _, _, link = struct.unpack_from("=BBBBI", message)
            address = dict(parse_attributes(message[8:])).get(_IFA_ADDRESS)
            if link == index and address:
                found.add(f"{ipaddress.ip_address(address)}/{prefix}")
    return found


def _is_effective(asking: Reader, index: int, route: Route) -> bool:
    """Return whether the kernel uses `route` for its destination (ip-route(8), `get fibmatch`)."""
    network = ipaddress.ip_network(route.destination)
    asked = ipaddress.ip_address(_REMOTE[network.version]) if not network.prefixlen else network.network_address
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    head = struct.pack("=BBBBBBBBI", family, network.max_prefixlen, 0, 0, 0, 0, 0, 0, _RTM_F_FIB_MATCH)
    try:
        answer = _answer(asking, RTM_GETROUTE, head + attribute(_RTA_DST, asked.packed))
    except OSError:
        # There is no route, or a route that discards packets (blackhole).
        return False
    if answer is None:
        return False
    prefix, kind = answer[1], answer[7]
    if prefix > network.prefixlen:
        return True
    found = dict(parse_attributes(answer[12:]))
    gateway = found.get(_RTA_GATEWAY)
    interface = int.from_bytes(found.get(_RTA_OIF, b""), sys.byteorder)
    same_gateway = (gateway and str(ipaddress.ip_address(gateway))) == route.gateway
    return prefix == network.prefixlen and kind == RTN_UNICAST and interface == index and same_gateway


def _answer(asking: Reader, kind: int, body: bytes) -> bytes | None:
    """Send a request and return the one message of the answer; None if the device does not exist. Raises OSError."""
    asking.send(kind, 0, body)
    try:
        return next(asking.answers())[1]
    except OSError as error:
        if error.errno == errno.ENODEV:
            return None
        raise


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", errors="backslashreplace")
