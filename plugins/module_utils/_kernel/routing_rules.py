# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routes of the host, and a fence of routing rules (ip-rule(8)) that keeps other networks from being forwarded.

The fence of an interface is three rules for packets that arrive by it and are not for the host itself: a table with
blackhole routes, then all routes except the default route, then discard. They survive a flush of the firewall.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
from collections.abc import Collection, Iterator

from .._errors import HostNotCapable
from . import rtnetlink

# linux/rtnetlink.h, linux/fib_rules.h
_NEWROUTE, _DELROUTE, _GETROUTE, _NEWRULE, _DELRULE, _GETRULE = 24, 25, 26, 32, 33, 34
_DST, _OIF, _MULTIPATH, _TABLE = 1, 4, 9, 15
_IIFNAME, _RULE_PRIORITY, _SUPPRESS_PREFIX, _RULE_TABLE, _RULE_PROTOCOL = 3, 6, 14, 15, 21
_UNICAST, _BLACKHOLE, _TO_TABLE, _TO_NOWHERE, _MAIN, _LOCAL = 1, 6, 1, 6, 254, 255
# Protocol "kernel": systemd-networkd removes rules and routes of any other protocol at restart (networkd.conf(5)).
_KERNEL = 2
_MESSAGE = struct.Struct("=BBBBBBBBI")
# struct ifinfomsg, linux/if.h, linux/if_link.h
_INTERFACE, _GETLINK, _IFNAME, _IFF_UP = struct.Struct("=BxHiII"), 18, 3, 0x1
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

# "cdtr" in ASCII, a number that no other program uses.
FENCE_TABLE = 0x63647472
# The first priorities after the local table. A route of length 1 (half of all addresses, as full-tunnel VPNs use)
# counts as a default route.
_FIRST_PRIORITY, _LONGEST_DEFAULT = 87, 1


def _dump(kind: int, version: int) -> list[bytes]:
    """Dump all messages of one IP version; none if the kernel lacks that version or routing rules."""
    try:
        messages = rtnetlink.dump(kind, _MESSAGE.pack(FAMILIES[version], *[0] * 8))
    except OSError as error:
        if error.errno in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
            return []
        raise
    # A kernel without IPv6 returns messages of all families.
    return [message for message in messages if message[0] == FAMILIES[version]]


def _routes(version: int) -> Iterator[tuple[int, str, int, int, list[int]]]:
    """Yield (type, destination, prefix length, table, interfaces) of every route."""
    for message in _dump(_GETROUTE, version):
        _family, length, _source, _tos, table, _protocol, _scope, kind, _flags = _MESSAGE.unpack_from(message)
        found = dict(rtnetlink.parse_attributes(message[_MESSAGE.size :]))
        if _TABLE in found:
            table = struct.unpack("=I", found[_TABLE])[0]
        raw = found.get(_DST, bytes(4 if version == 4 else 16))
        interfaces = [struct.unpack("=I", found[_OIF])[0]] if _OIF in found else []
        hops = found.get(_MULTIPATH, b"")
        while len(hops) >= 8:
            size, _hop_flags, _hop, index = struct.unpack_from("=HBBi", hops)
            interfaces.append(index)
            hops = hops[max(8, (size + 3) & ~3) :]
        yield kind, socket.inet_ntop(FAMILIES[version], raw), length, table, interfaces


def interfaces_up() -> set[str]:
    """Return the interfaces that are up; other interfaces receive no packets to forward."""
    found = set()
    for message in rtnetlink.dump(_GETLINK, _INTERFACE.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        if _INTERFACE.unpack_from(message)[3] & _IFF_UP:
            name = dict(rtnetlink.parse_attributes(message[_INTERFACE.size :])).get(_IFNAME, b"")
            found.add(name.rstrip(b"\0").decode(errors="surrogateescape"))
    return found


def default_interfaces() -> set[str]:
    """Return the interfaces of the default routes of both IP versions."""
    found = set()
    for version in FAMILIES:
        for kind, _destination, length, _table, interfaces in _routes(version):
            if kind == _UNICAST and length <= _LONGEST_DEFAULT:
                found |= set(_names(interfaces))
    return found


def _names(indexes: Collection[int]) -> Iterator[str]:
    for index in indexes:
        with contextlib.suppress(OSError):  # it has vanished
            yield socket.if_indextoname(index)


def networks_routed_by(interfaces: Collection[str]) -> set[str]:
    """Return the networks with a route by one of `interfaces`, without default routes and link-local IPv6."""
    found = set()
    for version in FAMILIES:
        for kind, destination, length, table, indexes in _routes(version):
            is_network = kind == _UNICAST and table != _LOCAL and length > _LONGEST_DEFAULT
            if is_network and not ipaddress.ip_address(destination).is_link_local:
                found |= {f"{destination}/{length}"} if set(_names(indexes)) & set(interfaces) else set()
    return found


def fenced_networks() -> set[str]:
    """Return the networks in the blackhole table."""
    found = ((r, version) for version in FAMILIES for r in _routes(version))
    return {f"{d}/{length}" for (kind, d, length, table, _), _v in found if table == FENCE_TABLE and kind == _BLACKHOLE}


def fenced_interfaces() -> dict[tuple[int, str], bool]:
    """Return (IP version, interface) of each fence with at least one rule, and whether all its rules exist."""
    found = {version: _rules(version) for version in FAMILIES}
    return {
        (version, name): all((name, priority) in rules for priority in _priorities())
        for version, rules in found.items()
        for name, _priority in rules
    }


def _rules(version: int) -> set[tuple[str, int]]:
    """Return (interface, priority) of the rules of this collection."""
    found = set()
    for message in _dump(_GETRULE, version):
        has = dict(rtnetlink.parse_attributes(message[_MESSAGE.size :]))
        priority = struct.unpack("=I", has.get(_RULE_PRIORITY, bytes(4)))[0]
        if _IIFNAME in has and has.get(_RULE_PROTOCOL) == bytes([_KERNEL]) and priority in _priorities():
            found.add((has[_IIFNAME].rstrip(b"\0").decode(errors="surrogateescape"), priority))
    return found


def _priorities() -> range:
    return range(_FIRST_PRIORITY, _FIRST_PRIORITY + 3)


def set_fenced_network(network: str, present: bool) -> None:
    """Add `network` to the blackhole table, or remove it. Does nothing if that is already so."""
    address, _slash, length = network.partition("/")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    message = _MESSAGE.pack(family, int(length), 0, 0, 0, _KERNEL, 0, _BLACKHOLE, 0)
    message += rtnetlink.attribute(_DST, socket.inet_pton(family, address))
    message += rtnetlink.attribute(_TABLE, struct.pack("=I", FENCE_TABLE))
    _change(message, present, _NEWROUTE, _DELROUTE)


def set_fence(version: int, interface: str, present: bool) -> None:
    """Add all rules for `interface`, or remove them. Does nothing if that is already so.

    Raises HostNotCapable if the kernel does not support routing rules.
    """
    for priority, action, table in zip(_priorities(), (_TO_TABLE, _TO_TABLE, _TO_NOWHERE), (FENCE_TABLE, _MAIN, None)):
        message = _MESSAGE.pack(FAMILIES[version], 0, 0, 0, 0, 0, 0, action, 0)
        message += rtnetlink.text_attribute(_IIFNAME, interface)
        message += rtnetlink.attribute(_RULE_PRIORITY, struct.pack("=I", priority))
        message += rtnetlink.attribute(_RULE_PROTOCOL, bytes([_KERNEL]))
        if table:
            message += rtnetlink.attribute(_RULE_TABLE, struct.pack("=I", table))
        if table == _MAIN:
            message += rtnetlink.attribute(_SUPPRESS_PREFIX, struct.pack("=I", _LONGEST_DEFAULT))
        _change(message, present, _NEWRULE, _DELRULE)


def _change(message: bytes, present: bool, new: int, delete: int) -> None:
    try:
        if present:
            rtnetlink.change(new, message, rtnetlink.CREATE | rtnetlink.EXCLUSIVE)
        else:
            rtnetlink.change(delete, message)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
            raise HostNotCapable(
                "this host has no routing rules: forwarding for containers would be forwarding for all networks",
                "use a kernel with CONFIG_IP_MULTIPLE_TABLES, or enable forwarding yourself",
            ) from error
        if error.errno not in ((errno.EEXIST,) if present else (errno.ENOENT, errno.ESRCH)):
            raise
