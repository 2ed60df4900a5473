# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to rtnetlink(7) that only read: one object, or a whole dump (netlink(7), include/uapi/linux/netlink.h).

pyroute2 is not used for it: release 0.7.2 fails if a dump was interrupted, and 0.9 takes a torn dump for the truth.
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

_NLM_F_REQUEST, _NLM_F_DUMP_INTR, _NLM_F_DUMP = 0x1, 0x10, 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_SOL_NETLINK, _NETLINK_GET_STRICT_CHK = 270, 12
_HEADER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
# The largest part of a dump that the kernel makes at once (netlink_recvmsg: 32 KiB) fits.
_BUFFER = 1 << 16
# Of 100 interrupted attempts in a row none was ever seen, on a host whose links change all the time.
_ATTEMPTS = 100
# A dump about one interface: somebody inside a container can give it any number of addresses and routes.
MOST_OF_ONE = 4096


class Message(NamedTuple):
    """An answer: the fixed part, whose layout the request's kind tells, and the attributes by their number."""

    fixed: tuple
    attributes: Mapping[int, bytes]


class Interrupted(Exception):
    """What is dumped has changed meanwhile: the dump may lack something that was there all the time."""


class Reader:
    """A socket in the caller's network namespace, where it stays. Use it as a context manager."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        # So the kernel (4.20) filters dumps by what the request names, and refuses what it does not understand.
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    def get(self, kind: int, layout: struct.Struct, fixed: tuple, attributes: Mapping[int, bytes]) -> Message | None:
        """The one object that the request names; None if there is none. Raises OSError."""
        self._send(kind, _NLM_F_REQUEST, layout, fixed, attributes)
        try:
            return next(self._answers(layout, single=True), None)
        except OSError as error:
            if error.errno in (
                errno.ENODEV,
                errno.ENXIO,
                errno.ENETUNREACH,
                errno.EHOSTUNREACH,
                errno.EACCES,
                errno.EINVAL,
            ):
                return None
            raise

    def dump(
        self, kind: int, layout: struct.Struct, fixed: tuple, attributes: Mapping[int, bytes], most: int | None = None
    ) -> list[Message]:
        """All objects of `kind` that the request does not filter out, of one moment.

        A dump that the kernel calls inconsistent (NLM_F_DUMP_INTR) is repeated. Raises EffectFailed if none of many
        was whole, or if there are more than `most`; OSError if the kernel refuses, ENODEV without the interface.
        """
        for _attempt in range(_ATTEMPTS):
            self._send(kind, _NLM_F_REQUEST | _NLM_F_DUMP, layout, fixed, attributes)
            found = []
            try:
                for message in self._answers(layout):
                    found.append(message)
                    if most is not None and len(found) > most:
                        raise EffectFailed(
                            f"an interface has more than {most} addresses or routes; remove some of them"
                        )
                return found
            except Interrupted:
                continue
        raise EffectFailed(
            f"this host's links, addresses or routes change too fast to be read ({_ATTEMPTS} attempts); run this again"
        )

    def _send(
        self, kind: int, flags: int, layout: struct.Struct, fixed: tuple, attributes: Mapping[int, bytes]
    ) -> None:
        self._sequence += 1
        body = layout.pack(*fixed) + b"".join(_attribute(number, value) for number, value in attributes.items())
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body)

    def _answers(self, layout: struct.Struct, single: bool = False) -> Iterator[Message]:
        """The answers to the last request. Raises Interrupted after the last one of a dump, and OSError."""
        interrupted = False
        while True:
            data = self._socket.recv(_BUFFER)
            position = 0
            while position + _HEADER.size <= len(data):
                length, kind, flags, sequence, _port = _HEADER.unpack_from(data, position)
                payload = data[position + _HEADER.size : position + length]
                position += (length + 3) & ~3
                if sequence != self._sequence:
                    continue  # the rest of a dump that was not read to its end
                interrupted |= bool(flags & _NLM_F_DUMP_INTR)
                if kind in (_NLMSG_ERROR, _NLMSG_DONE):
                    number = -struct.unpack_from("=i", payload)[0] if len(payload) >= 4 else 0
                    if number:
                        raise OSError(number, os.strerror(number))
                    if interrupted:
                        raise Interrupted
                    return
                yield Message(layout.unpack_from(payload), dict(parse_attributes(payload[layout.size :])))
                if single:
                    return


def _attribute(number: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), number) + value + bytes(-len(value) % 4)


def parse_attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(number, value) of each attribute in `data`."""
    position = 0
    while position + _ATTRIBUTE.size <= len(data):
        length, number = _ATTRIBUTE.unpack_from(data, position)
        yield number & 0x3FFF, data[position + _ATTRIBUTE.size : position + length]
        position += max(_ATTRIBUTE.size, (length + 3) & ~3)
