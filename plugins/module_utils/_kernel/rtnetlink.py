# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages of rtnetlink(7): read one object or a dump, and change one object (netlink(7), linux/netlink.h).

Dumps are read here because pyroute2 differs by release: 0.7.2 fails if a dump was interrupted, and 0.9 accepts an
inconsistent dump.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .._errors import EffectFailed

RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETRULE = 18, 22, 26, 34
# Flags of a request that changes an object.
EXCLUSIVE, CREATE = 0x200, 0x400

_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP_INTR, _NLM_F_DUMP = 0x1, 0x4, 0x10, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_SOL_NETLINK, _NETLINK_GET_STRICT_CHK = 270, 12
_HEADER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
# Mask of an attribute's number, without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER.
_TYPE_MASK = 0x3FFF
# A dump comes in parts of at most 32 KiB (netlink_recvmsg). One link can have 64 KiB of names.
_BUFFER = 1 << 18
# 100 interrupted attempts in a row were never seen, even on a host whose links change all the time.
_ATTEMPTS = 100
# Limit of a dump for one interface: processes in a container can add any number of addresses and routes.
MOST_OF_ONE = 4096
# The kernel's errors for an object that does not exist.
_NONE = (errno.ENODEV, errno.ENXIO, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL)


class Message(NamedTuple):
    """An answer: the fixed part, with the layout of the request's kind, and the attributes by their number."""

    fixed: tuple
    attributes: Mapping[int, bytes]


class Interrupted(Exception):
    """The objects have changed during the dump, which may lack objects that existed all the time."""


def attribute(number: int, value: bytes) -> bytes:
    """Encode a struct rtattr with its value, padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), number) + value + bytes(-len(value) % 4)


def text_attribute(number: int, value: str) -> bytes:
    """Encode an attribute with a string value."""
    return attribute(number, value.encode() + b"\0")


def parse_attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (number, value) of each attribute in `data`."""
    position = 0
    while position + _ATTRIBUTE.size <= len(data):
        length, number = _ATTRIBUTE.unpack_from(data, position)
        yield number & _TYPE_MASK, data[position + _ATTRIBUTE.size : position + length]
        position += max(_ATTRIBUTE.size, (length + 3) & ~3)


def change(kind: int, payload: bytes, flags: int = 0) -> None:
    """Send one request and wait until the kernel has completed it. Raises OSError with the kernel's error number."""
    with Reader() as netlink:
        netlink.send(kind, _NLM_F_ACK | flags, payload)
        for _answer in netlink.answers():
            pass


def dump(kind: int, payload: bytes) -> list[bytes]:
    """Return the payloads of a consistent dump. Raises as `Reader.dump` does."""
    with Reader() as netlink:
        return netlink.dump_payloads(kind, payload)


class Reader:
    """A context manager with a netlink socket, which stays in the network namespace that it was created in.

    `timeout`: seconds to wait for an answer; None waits without limit.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.settimeout(timeout)
        # With this option the kernel (4.20) filters dumps by the request, and refuses attributes that it does not know.
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    def get(self, kind: int, layout: struct.Struct, fixed: tuple, attributes: Mapping[int, bytes]) -> Message | None:
        """Return the one object that the request names; None if it does not exist. Raises OSError."""
        self.send(kind, 0, _body(layout, fixed, attributes))
        try:
            return next((_message(layout, payload) for _flags, payload in self.answers()), None)
        except OSError as error:
            if error.errno in _NONE:
                return None
            raise

    def dump(
        self, kind: int, layout: struct.Struct, fixed: tuple, attributes: Mapping[int, bytes], most: int | None = None
    ) -> list[Message]:
        """Return all objects of `kind` that match the request, as a consistent dump.

        A dump that the kernel reports as inconsistent (NLM_F_DUMP_INTR) is repeated. Raises EffectFailed if all
        attempts were inconsistent or if there are more than `most` objects; OSError if the kernel refuses the request,
        with ENODEV if the interface does not exist.
        """
        payloads = self.dump_payloads(kind, _body(layout, fixed, attributes), most)
        return [_message(layout, payload) for payload in payloads]

    def dump_payloads(self, kind: int, payload: bytes, most: int | None = None) -> list[bytes]:
        """Return the payloads of a dump. Raises as `dump` does."""
        found = self.first_payloads(kind, payload, None if most is None else most + 1)
        if most is not None and len(found) > most:
            raise EffectFailed(f"an interface has more than {most} addresses or routes", "remove some of them")
        return found

    def first_payloads(self, kind: int, payload: bytes, most: int | None) -> list[bytes]:
        """Return the first `most` payloads of a dump. Raises as `dump` does, but not for too many objects."""
        for _attempt in range(_ATTEMPTS):
            self.send(kind, _NLM_F_DUMP, payload)
            try:
                return self._payloads(most)
            except Interrupted:
                continue
        raise EffectFailed(
            f"links, addresses or routes of this host change too fast to be read ({_ATTEMPTS} attempts)",
            "run this again",
        )

    def _payloads(self, most: int | None) -> list[bytes]:
        found, interrupted = [], False
        for flags, payload in self.answers():
            interrupted |= bool(flags & _NLM_F_DUMP_INTR)
            found.append(payload)
            if len(found) == most:
                return found
        if interrupted:
            raise Interrupted
        return found

    def send(self, kind: int, flags: int, payload: bytes) -> None:
        """Send a request."""
        self._sequence += 1
        size = _HEADER.size + len(payload)
        self._socket.send(_HEADER.pack(size, kind, _NLM_F_REQUEST | flags, self._sequence, 0) + payload)

    def answers(self) -> Iterator[tuple[int, bytes]]:
        """Yield (flags, payload) of each answer to the last request. Raises OSError.

        The caller need not read all answers.
        """
        while True:
            data, _, received, _ = self._socket.recvmsg(_BUFFER)
            if received & socket.MSG_TRUNC:
                raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
            position = 0
            while position + _HEADER.size <= len(data):
                length, kind, flags, sequence, _port = _HEADER.unpack_from(data, position)
                payload = data[position + _HEADER.size : position + length]
                position += (length + 3) & ~3
                if sequence != self._sequence:
                    continue  # the rest of an earlier dump
                if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                    number = -struct.unpack_from("=i", payload)[0] if len(payload) >= 4 else 0
                    if number > 0:
                        raise OSError(number, os.strerror(number))
                    if flags & _NLM_F_DUMP_INTR:
                        raise Interrupted
                    return
                yield flags, payload


def _body(layout: struct.Struct, fixed: tuple, attributes: Mapping[int, bytes]) -> bytes:
    return layout.pack(*fixed) + b"".join(attribute(number, value) for number, value in attributes.items())


def _message(layout: struct.Struct, payload: bytes) -> Message:
    return Message(layout.unpack_from(payload), dict(parse_attributes(payload[layout.size :])))
