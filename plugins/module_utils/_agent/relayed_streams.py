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

import functools
import os
import select
import socket

from .._container.exec.enter import Command, enter_and_start, pipes
from .._kernel.cgroup import Cgroup
from .._kernel.descriptors import close_other_descriptors
from .._kernel.processes import ProcessId
from .._kernel.stream_pump import Flow, relay

STDOUT, STDERR, END = b"1", b"2", b"."
# Bytes per read.
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
    os.set_blocking(stdin, False)
    outward = [
        Flow(fd, functools.partial(send, connection, kind), closes_source=True)
        for fd, kind in ((stdout, STDOUT), (stderr, STDERR))
    ]
    child = os.pidfd_open(pid)
    try:
        relay(child, [_Input(connection, size, stdin), *outward], until_over=outward)
    except (BrokenPipeError, ConnectionResetError):
        # The command notices by its streams. It is our child, so wait for it: the container's init may not reap it.
        close_other_descriptors(set())
        os.waitpid(pid, 0)
        raise
    os.close(child)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


class _Input:
    """A command's input: the next `size` bytes of the connection. It is never over, to notice that the client has gone.

    After the input, the only event on the connection is its end: the client has disconnected.
    """

    over = dry = False

    def __init__(self, connection: socket.socket, size: int, stdin: int) -> None:
        self._connection, self._left, self._stdin = connection, size, stdin
        self._piece = Flow(b"", stdin)
        self._close_if_all()

    def waits_for(self) -> tuple[int, int]:
        """Return the command's pipe if a piece is left, else the connection; and the poll event."""
        return (self._connection.fileno(), select.POLLIN) if self._piece.over else self._piece.waits_for()

    def go_on(self) -> int:
        """Read a piece, or write to the command. Raises BrokenPipeError if the client has gone."""
        if not self._piece.over:
            # If the command has closed its input, the rest is discarded.
            self._piece.go_on()
            self._close_if_all()
            return 0
        data = self._connection.recv(min(self._left, _PIECE) or 1)
        if not data or not self._left:
            raise BrokenPipeError("the client has disconnected")
        self._left -= len(data)
        self._piece = Flow(data, self._stdin)
        return len(data)

    def _close_if_all(self) -> None:
        if not self._left and self._piece.over:
            os.close(self._stdin)
