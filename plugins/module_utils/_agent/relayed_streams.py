# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Relay of a command's streams over the client's connection, such as a socket that ssh forwards to a controller.

The client waits until the agent has accepted the request, and only then sends a length (64 bits, network byte order)
and that many bytes: the command's input. No command runs before that, so the client knows whether it can use another
way. The agent sends frames: one byte for the stream, a length (32 bits) and that many bytes; the last frame is END with
the answer. If the connection ends before that, the client has gone. The command then goes on, as with ssh(1), and its
output has no reader.
"""

from __future__ import annotations

import os
import selectors
import socket

from .._container.exec.enter import Command, enter_and_start, pipes
from .._container.exec.privileges import close_other_descriptors
from .._kernel.cgroup import Cgroup
from .._kernel.processes import ProcessId

STDOUT, STDERR, END = b"1", b"2", b"."
# Bytes per read: the capacity of a pipe (pipe(7)).
_PIECE = 1 << 16


def data_size(connection: socket.socket) -> int | None:
    """Return the size of the input in bytes; None if the client has disconnected."""
    head = connection.recv(8, socket.MSG_WAITALL)
    return int.from_bytes(head, "big") if len(head) == 8 else None


def send(connection: socket.socket, kind: bytes, data: bytes) -> None:
    """Send one frame."""
    connection.sendall(kind + len(data).to_bytes(4, "big") + data)


def run_relayed(connection: socket.socket, size: int, process: ProcessId, cgroup: Cgroup, command: Command) -> int:
    """Run `command` with the next `size` bytes of `connection` as input; return its exit code, negative for a signal.

    As with ssh(1), the command has ended when its output streams are closed, too, so background processes that write
    are waited for. Call this in a process of its own. Raises the errors of `enter_and_start`, and BrokenPipeError if
    the client has disconnected.
    """
    streams, (stdin, stdout, stderr) = pipes()
    pid = enter_and_start(process, cgroup, command, streams)
    for fd in streams:
        os.close(fd)
    try:
        _relay(connection, _Source(connection, size, stdin), {stdout: STDOUT, stderr: STDERR}, pid)
    except (BrokenPipeError, ConnectionResetError):
        # The command notices by its streams. It is our child, so wait for it: the container's init may not reap it.
        close_other_descriptors(set())
        os.waitpid(pid, 0)
        raise
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _relay(connection: socket.socket, source: _Source, outputs: dict[int, bytes], pid: int) -> None:
    """Copy input and output until the command `pid` has ended and its output streams are closed."""
    with selectors.DefaultSelector() as selector:
        for fd in outputs:
            selector.register(fd, selectors.EVENT_READ)
        pidfd = os.pidfd_open(pid)
        selector.register(pidfd, selectors.EVENT_READ)
        source.watch(selector)
        ended = False
        while outputs or not ended:
            for key, _ in selector.select():
                if key.fd in outputs:
                    data = os.read(key.fd, _PIECE)
                    if data:
                        send(connection, outputs[key.fd], data)
                    else:
                        selector.unregister(key.fd)
                        os.close(key.fd)
                        del outputs[key.fd]
                elif key.fd == pidfd:
                    selector.unregister(pidfd)
                    os.close(pidfd)
                    ended = True
                else:
                    source.move()
                    source.watch(selector)


class _Source:
    """A command's input, copied from the connection to the command's pipe in pieces."""

    def __init__(self, connection: socket.socket, size: int, stdin: int) -> None:
        os.set_blocking(stdin, False)
        self._connection = connection
        self._left = size
        self._stdin = stdin
        self._piece = b""
        self._watched: int | None = None
        self._end_if_all()

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Register with `selector` the descriptor that `move` waits for: a writable pipe or a readable connection.

        After the input, the only event on the connection is its end: the client has disconnected.
        """
        wanted = self._stdin if self._piece else self._connection.fileno()
        if wanted == self._watched:
            return
        if self._watched is not None:
            selector.unregister(self._watched)
        selector.register(wanted, selectors.EVENT_WRITE if self._piece else selectors.EVENT_READ)
        self._watched = wanted

    def move(self) -> None:
        """Read a piece if none is left, and write to the command. Raises BrokenPipeError if the client has gone."""
        if not self._piece:
            self._piece = self._connection.recv(min(self._left, _PIECE) or 1)
            if not self._piece or not self._left:
                raise BrokenPipeError("the client has disconnected")
            self._left -= len(self._piece)
        try:
            self._piece = self._piece[os.write(self._stdin, self._piece) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            # The command has closed its input: discard the rest.
            self._piece = b""
        self._end_if_all()

    def _end_if_all(self) -> None:
        if not self._left and not self._piece:
            os.close(self._stdin)
