# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets on the loopback of another network namespace, behind which are those of this one.

For proxies that listen on the host's loopback only, as apt-cacher-ng(8) by default. TCP.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import socket
from collections.abc import Collection, Iterator

from . import syscalls
from .interfaces import entered

# Connections at once, each with a buffer of that many bytes for each direction.
_MOST, _BUFFER = 128, 1 << 16
_NOBODY = 65534
_PR_SET_PDEATHSIG = 1

Address = tuple[str, int]


@contextlib.contextmanager
def relayed(addresses: Collection[Address], netns: str) -> Iterator[None]:
    """For the block, whoever connects to one of `addresses` in the network namespace `netns` reaches it in ours.

    `addresses`: IP address and port. Raises OSError.
    """
    if not addresses:
        yield
        return
    listeners = _listen(addresses, netns)
    alive, ours = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _relay(listeners, alive)
    os.close(alive)
    for listener in listeners:
        listener.close()
    try:
        yield
    finally:
        os.close(ours)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _listen(addresses: Collection[Address], netns: str) -> dict[socket.socket, Address]:
    fd = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with entered(fd):
            # Their namespace is the one that they are made in.
            made = [(_listener(address), address) for address in sorted(addresses)]
            return {listener: address for listener, address in made if listener is not None}
    finally:
        os.close(fd)


def _listener(address: Address) -> socket.socket | None:
    """None on a host without IPv6, for an address of that: nobody listens there on the host either."""
    try:
        listener = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        if ":" in address[0] and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return None
        raise
    listener.listen()
    listener.setblocking(False)
    return listener


def _relay(listeners: dict[socket.socket, Address], alive: int) -> None:
    """Serve `listeners` until `alive` is closed. Never returns."""
    try:
        syscalls.close_all_but({alive, *(listener.fileno() for listener in listeners)})
        # Who connects is not trusted: this process has no rights that its end of a bug could give away.
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _Relay(listeners, alive).serve()
    finally:
        os._exit(0)


class _Way:
    """One direction of a connection: what was read of `source` and is not yet written to `sink`."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.buffer = b""
        self.ended = self.done = False


class _Relay:
    """All connections of the process."""

    def __init__(self, listeners: dict[socket.socket, Address], alive: int) -> None:
        self._listeners, self._alive = listeners, alive
        self._connections: list[tuple[_Way, _Way]] = []

    def serve(self) -> None:
        while True:
            with selectors.DefaultSelector() as selector:
                selector.register(self._alive, selectors.EVENT_READ)
                if len(self._connections) < _MOST:
                    for listener in self._listeners:
                        selector.register(listener, selectors.EVENT_READ)
                for fd, events in self._interests().items():
                    selector.register(fd, events)
                ready = {key.fd: events for key, events in selector.select()}
            if self._alive in ready:
                return
            for pair in list(self._connections):
                self._move(pair, ready)
            for listener, address in self._listeners.items():
                if listener.fileno() in ready:
                    self._accept(listener, address)

    def _interests(self) -> dict[int, int]:
        wanted: dict[int, int] = {}
        for way in (way for pair in self._connections for way in pair):
            if not way.ended and not way.buffer:
                wanted[way.source.fileno()] = wanted.get(way.source.fileno(), 0) | selectors.EVENT_READ
            if way.buffer:
                wanted[way.sink.fileno()] = wanted.get(way.sink.fileno(), 0) | selectors.EVENT_WRITE
        return wanted

    def _accept(self, listener: socket.socket, address: Address) -> None:
        with contextlib.suppress(OSError):
            inside, _ = listener.accept()
            outside = socket.socket(listener.family, socket.SOCK_STREAM)
            outside.setblocking(False)
            outside.connect_ex(address)
            inside.setblocking(False)
            self._connections.append((_Way(inside, outside), _Way(outside, inside)))

    def _move(self, pair: tuple[_Way, _Way], ready: dict[int, int]) -> None:
        try:
            for way in pair:
                if ready.get(way.source.fileno(), 0) & selectors.EVENT_READ and not way.buffer and not way.ended:
                    way.buffer = way.source.recv(_BUFFER)
                    way.ended = not way.buffer
                if way.buffer and ready.get(way.sink.fileno(), 0) & selectors.EVENT_WRITE:
                    way.buffer = way.buffer[way.sink.send(way.buffer) :]
                if way.ended and not way.buffer and not way.done:
                    way.sink.shutdown(socket.SHUT_WR)
                    way.done = True
            failed = False
        except BlockingIOError:
            return
        except OSError:
            failed = True
        if failed or all(way.done for way in pair):
            for end in (pair[0].source, pair[0].sink):
                end.close()
            self._connections.remove(pair)
