# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP relay from the loopback of another network namespace to that of this one.

For proxies that listen only on the loopback of the host, as apt-cacher-ng(8) does by default.
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
from .interfaces import in_network_namespace

# Maximum of concurrent connections, and bytes of the buffer of each direction of a connection.
_MOST, _BUFFER = 128, 1 << 16
_NOBODY = 65534
_PR_SET_PDEATHSIG = 1

Address = tuple[str, int]


@contextlib.contextmanager
def relay_loopback(addresses: Collection[Address], netns: str) -> Iterator[None]:
    """Relay connections to `addresses` in the network namespace `netns` to the same addresses in this one.

    `addresses`: IP address and port. The relay runs for the block, in a child process. Raises OSError.
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
        with in_network_namespace(fd):
            # A socket belongs to the namespace in which it is created.
            created = [(_listener(address), address) for address in sorted(addresses)]
            return {listener: address for listener, address in created if listener is not None}
    finally:
        os.close(fd)


def _listener(address: Address) -> socket.socket | None:
    """Return a listening socket; None for an IPv6 address on a host without IPv6, where no proxy can listen on it."""
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
        # The clients are untrusted: drop all privileges.
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _Relay(listeners, alive).serve()
    finally:
        os._exit(0)


class _Direction:
    """One direction of a connection. `buffer`: bytes that were read from `source` and not yet written to `sink`."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.buffer = b""
        self.ended = self.done = False


class _Relay:
    """All connections of the process."""

    def __init__(self, listeners: dict[socket.socket, Address], alive: int) -> None:
        self._listeners, self._alive = listeners, alive
        self._connections: list[tuple[_Direction, _Direction]] = []

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
                self._transfer(pair, ready)
            for listener, address in self._listeners.items():
                if listener.fileno() in ready:
                    self._accept(listener, address)

    def _interests(self) -> dict[int, int]:
        wanted: dict[int, int] = {}
        for direction in (direction for pair in self._connections for direction in pair):
            source, sink = direction.source.fileno(), direction.sink.fileno()
            if not direction.ended and not direction.buffer:
                wanted[source] = wanted.get(source, 0) | selectors.EVENT_READ
            if direction.buffer:
                wanted[sink] = wanted.get(sink, 0) | selectors.EVENT_WRITE
        return wanted

    def _accept(self, listener: socket.socket, address: Address) -> None:
        with contextlib.suppress(OSError):
            inside, _ = listener.accept()
            outside = socket.socket(listener.family, socket.SOCK_STREAM)
            outside.setblocking(False)
            outside.connect_ex(address)
            inside.setblocking(False)
            self._connections.append((_Direction(inside, outside), _Direction(outside, inside)))

    def _transfer(self, pair: tuple[_Direction, _Direction], ready: dict[int, int]) -> None:
        try:
            for one in pair:
                if ready.get(one.source.fileno(), 0) & selectors.EVENT_READ and not one.buffer and not one.ended:
                    one.buffer = one.source.recv(_BUFFER)
                    one.ended = not one.buffer
                if one.buffer and ready.get(one.sink.fileno(), 0) & selectors.EVENT_WRITE:
                    one.buffer = one.buffer[one.sink.send(one.buffer) :]
                if one.ended and not one.buffer and not one.done:
                    one.sink.shutdown(socket.SHUT_WR)
                    one.done = True
            failed = False
        except BlockingIOError:
            return
        except OSError:
            failed = True
        if failed or all(direction.done for direction in pair):
            for end in (pair[0].source, pair[0].sink):
                end.close()
            self._connections.remove(pair)
