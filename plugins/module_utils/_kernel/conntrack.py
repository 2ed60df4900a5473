# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The size of the connection tracking table, and its entries of flows that the current rules can decide about anew.

ctnetlink: include/uapi/linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator, Mapping

from .sysctl import read_sysctl

_NETLINK_NETFILTER, _CT_GET, _CT_DELETE = 12, 0x101, 0x102
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP = 0x1, 0x4, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY, _CTA_STATUS, _IPS_SEEN_REPLY = 1, 2, 3, 0x2
_CTA_TUPLE_IP, _CTA_TUPLE_PROTO, _CTA_PROTO_NUM, _CTA_PROTO_DST_PORT = 1, 2, 1, 3
_CTA_IP_V4_SRC, _CTA_IP_V4_DST, _CTA_IP_V6_SRC, _CTA_IP_V6_DST = 1, 2, 3, 4
_HEADER = struct.Struct("=IHHII")
_GIB = 1 << 30


def most_entries() -> int:
    """Return the number of connections that the kernel tracks at most, 0 for any number."""
    found = read_sysctl("net/netfilter/nf_conntrack_max")
    if found is not None:
        return int(found)
    # Its module is not loaded yet.
    return entries_for(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def entries_for(memory: int) -> int:
    """Return the number of connections that a kernel with `memory` bytes will track at most, unless it is set.

    As of Linux 5.15: nf_conntrack_init_start() and nf_ct_alloc_hashtable() in net/netfilter/nf_conntrack_core.c.
    """
    if memory > _GIB:
        return 262144 if memory > 4 * _GIB else 65536
    slots = max(memory // 16384 // 8, 1024)
    return -(-slots // 512) * 512


def delete_flows(
    udp_ports: Collection[tuple[int, int]], udp_addresses: Collection[str] = (), unanswered: Collection[str] = ()
) -> None:
    """Delete entries, so that the next packets of their flows are decided by the current rules.

    These are UDP flows that were opened to one of `udp_ports` (first, last) or of `udp_addresses`, and connections that
    lead to one of the addresses `unanswered`, of which no packet has come back. The kernel decides about address
    translation with the first packet of a flow, and a sender that keeps sending keeps that decision alive even if the
    rules have changed. So does a caller whose first packet was lost, since it sends that packet again. Does nothing if
    the kernel does not track connections.
    """
    if not udp_ports and not udp_addresses and not unanswered:
        return
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as netlink:
            netlink.bind((0, 0))
            for family, tuple_orig in find_flows(netlink, udp_ports, udp_addresses, unanswered):
                flow = bytes([family, 0, 0, 0]) + tuple_orig
                # Listing takes a while, and a call that was answered meanwhile goes on.
                if _end(tuple_orig)[0] == socket.IPPROTO_UDP or _is_unanswered(netlink, flow):
                    _send(netlink, _CT_DELETE, _NLM_F_ACK, flow)
                    _wait(netlink)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT):
            raise


def _send(netlink: socket.socket, kind: int, flags: int, payload: bytes) -> None:
    length = _HEADER.size + len(payload)
    netlink.send(_HEADER.pack(length, kind, _NLM_F_REQUEST | flags, 1, 0) + payload)


def _messages(netlink: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yield (type, payload) up to the end of the answer. Raises OSError if the kernel refused the request."""
    while True:
        data = netlink.recv(1 << 20)
        while len(data) >= _HEADER.size:
            length, kind, _flags, _sequence, _port = _HEADER.unpack_from(data)
            payload, data = data[_HEADER.size : length], data[(length + 3) & ~3 :]
            if kind == _NLMSG_DONE:
                return
            if kind == _NLMSG_ERROR:
                number = -struct.unpack_from("=i", payload)[0]
                # ENOENT: the flow ended meanwhile.
                if number in (0, errno.ENOENT):
                    return
                raise OSError(number, "conntrack")
            yield kind, payload


def _wait(netlink: socket.socket) -> None:
    for _message in _messages(netlink):
        pass


def _is_unanswered(netlink: socket.socket, flow: bytes) -> bool:
    """Return whether no packet has come back. False for a flow that has ended."""
    _send(netlink, _CT_GET, _NLM_F_ACK, flow)
    return any([not _seen_reply(dict(_attributes(payload[4:]))) for _kind, payload in _messages(netlink)])


def _seen_reply(parts: Mapping[int, bytes]) -> bool:
    return bool(int.from_bytes(parts.get(_CTA_STATUS, b"")[4:8], "big") & _IPS_SEEN_REPLY)


def find_flows(
    netlink: socket.socket,
    udp_ports: Collection[tuple[int, int]],
    udp_addresses: Collection[str] = (),
    unanswered: Collection[str] = (),
) -> list[tuple[int, bytes]]:
    """Return address family and raw original tuple, which identifies a flow, of what `delete_flows` would delete."""
    addresses, silent = _raw(udp_addresses), _raw(unanswered)
    _send(netlink, _CT_GET, _NLM_F_DUMP, bytes(4))
    found = []
    for _kind, payload in _messages(netlink):
        parts = dict(_attributes(payload[4:]))
        protocol, port, _source, called = _end(parts.get(_CTA_TUPLE_ORIG, b""))
        if protocol == socket.IPPROTO_UDP:
            is_meant = called in addresses or any(first <= port <= last for first, last in udp_ports)
        else:
            # The source of answers, not the called address, which can be one of the host.
            source = _end(parts.get(_CTA_TUPLE_REPLY, b""))[2]
            is_meant = source in silent and not _seen_reply(parts)
        if is_meant:
            found.append((payload[0], parts[_CTA_TUPLE_ORIG]))
    return found


def _raw(addresses: Collection[str]) -> set[bytes]:
    return {socket.inet_pton(socket.AF_INET6 if ":" in one else socket.AF_INET, one) for one in addresses}


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (type, whole attribute with its header, padded)."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        padded = max(4, (length + 3) & ~3)
        yield kind & 0x3FFF, data[:padded]
        data = data[padded:]


def _end(tuple_: bytes) -> tuple[int, int, bytes, bytes]:
    """Return protocol, destination port (-1: none), source and destination of a tuple with its header."""
    parts = {kind: raw for kind, raw in _attributes(tuple_[4:])}
    protocol = {kind: raw[4:] for kind, raw in _attributes(parts.get(_CTA_TUPLE_PROTO, b"")[4:])}
    addresses = {kind: raw for kind, raw in _attributes(parts.get(_CTA_TUPLE_IP, b"")[4:])}
    source = addresses.get(_CTA_IP_V4_SRC, b"")[4:8] or addresses.get(_CTA_IP_V6_SRC, b"")[4:20]
    called = addresses.get(_CTA_IP_V4_DST, b"")[4:8] or addresses.get(_CTA_IP_V6_DST, b"")[4:20]
    port = protocol.get(_CTA_PROTO_DST_PORT)
    return protocol.get(_CTA_PROTO_NUM, b"\0")[0], int.from_bytes(port[:2], "big") if port else -1, source, called
