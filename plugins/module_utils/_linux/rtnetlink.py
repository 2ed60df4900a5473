# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rtnetlink(7) by plain messages, for what pyroute2 0.7.2 and 0.9 do not have alike."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

REQUEST, ACK, EXCLUSIVE, CREATE, DUMP = 0x1, 0x4, 0x200, 0x400, 0x300
_ERROR, _DONE, _DUMP_INTERRUPTED, _TYPE_MASK = 2, 3, 0x10, 0x3FFF
_HEADER = struct.Struct("=IHHII")
_ATTEMPTS = 20


def attribute(kind: int, value: bytes) -> bytes:
    """struct rtattr with its value, padded."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def text(kind: int, value: str) -> bytes:
    """An attribute that holds a string."""
    return attribute(kind, value.encode() + b"\0")


def attributes(data: bytes) -> dict[int, bytes]:
    """The values of the attributes in `data`, by their kind."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & _TYPE_MASK] = data[4:length]
        data = data[max(4, (length + 3) & ~3) :]
    return found


def change(kind: int, payload: bytes, flags: int = 0) -> None:
    """Send one request and wait until the kernel has carried it out. Raises OSError with its error number."""
    with _opened() as netlink:
        _send(netlink, kind, REQUEST | ACK | flags, payload)
        for _message in _messages(netlink):
            pass


def dump(kind: int, payload: bytes) -> list[bytes]:
    """The payloads of all answers. Asked again if the kernel says that its tables changed meanwhile. Raises OSError."""
    for _attempt in range(_ATTEMPTS):
        with _opened() as netlink:
            _send(netlink, kind, REQUEST | DUMP, payload)
            answers = list(_messages(netlink))
        if not any(flags & _DUMP_INTERRUPTED for flags, _payload in answers):
            break
    return [payload for _flags, payload in answers]


def _opened() -> socket.socket:
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    netlink.bind((0, 0))
    return netlink


def _send(netlink: socket.socket, kind: int, flags: int, payload: bytes) -> None:
    netlink.send(_HEADER.pack(_HEADER.size + len(payload), kind, flags, 1, 0) + payload)


def _messages(netlink: socket.socket) -> Iterator[tuple[int, bytes]]:
    """(flags, payload) of each answer, up to the one that ends them."""
    while True:
        data = netlink.recv(1 << 17)
        while data:
            length, kind, flags, _sequence, _pid = _HEADER.unpack_from(data)
            payload, data = data[_HEADER.size : length], data[(length + 3) & ~3 :]
            if kind in (_ERROR, _DONE):
                number = -struct.unpack_from("=i", payload)[0] if len(payload) >= 4 else 0
                if number > 0:
                    raise OSError(number, os.strerror(number))
                return
            yield flags, payload
