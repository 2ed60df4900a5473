# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading of requests: one process reads from a limited number of connections, each with a deadline.

A client that sends nothing, or sends slowly, uses a descriptor for some seconds, but no process.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

# Maximum bytes of a request.
_LONGEST = 1 << 20
# Seconds within which a request must be complete.
_TIMEOUT = 10.0
# Maximum of simultaneous connections; others wait in the listener's queue.
_MOST = 64

# Called with a connection and the parts of its request; returns the parts to answer, or None to refuse the request.
AcceptRequest = Callable[[socket.socket, list[str]], "list[str] | None"]


@dataclass
class _Pending:
    connection: socket.socket
    ends: float
    received: bytearray = field(default_factory=bytearray)


class RequestReader:
    """The connections of a listener whose requests are incomplete."""

    def __init__(self, listener: socket.socket, admits: AcceptRequest) -> None:
        self._listener = listener
        self._listener.setblocking(False)
        self._admits = admits
        self._pending: list[_Pending] = []

    def is_empty(self) -> bool:
        """Return whether there is no connection with an incomplete request."""
        return not self._pending

    def receive(self, timeout: float, also: list[socket.socket]) -> tuple[bool, list[tuple[socket.socket, list[str]]]]:
        """Wait up to `timeout` seconds for an event, also on the sockets `also`.

        Return whether there was an event, and the complete requests with their connections.
        """
        listening = [self._listener] if len(self._pending) < _MOST else []
        connections = [pending.connection for pending in self._pending]
        left = [pending.ends - time.monotonic() for pending in self._pending]
        ready, _, _ = select.select([*listening, *connections, *also], [], [], max(0.0, min([timeout, *left])))
        complete = []
        for pending in list(self._pending):
            parts = None
            if pending.connection in ready:
                try:
                    parts = _receive(pending)
                except OSError:
                    self._drop(pending)
                    continue
            if parts is not None:
                self._pending.remove(pending)
                admitted = self._admits(pending.connection, parts)
                if admitted:
                    pending.connection.setblocking(True)
                    complete.append((pending.connection, admitted))
                else:
                    pending.connection.close()
            elif pending.ends <= time.monotonic():
                self._drop(pending)
        if self._listener in ready:
            self._accept()
        return bool(ready), complete

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            # The client has disconnected already.
            return
        connection.setblocking(False)
        self._pending.append(_Pending(connection, time.monotonic() + _TIMEOUT))

    def _drop(self, pending: _Pending) -> None:
        self._pending.remove(pending)
        pending.connection.close()


def _receive(pending: _Pending) -> list[str] | None:
    """Return the parts of the request if complete, else None. Reads no byte after it. Raises OSError if invalid."""
    have = len(pending.received)
    size = int.from_bytes(pending.received[:4], "big") if have >= 4 else 0
    part = pending.connection.recv(4 + size - have)
    if not part:
        raise ConnectionResetError
    pending.received += part
    if len(pending.received) < 4:
        return None
    size = int.from_bytes(pending.received[:4], "big")
    if not 0 < size <= _LONGEST:
        raise ConnectionAbortedError
    if len(pending.received) < 4 + size:
        return None
    return bytes(pending.received[4:]).decode(errors="surrogateescape").split("\0")
