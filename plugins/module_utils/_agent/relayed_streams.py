# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command's streams by the connection of who asks for it, as where ssh forwards the socket from a controller.

Who asks waits until the request has been taken, and only then sends a length (64 bits, network byte order) and so many
bytes, which are the command's input. Before that nothing is run, so that who asks knows whether it may do so otherwise.
Back come frames: one byte that tells which, a length (32 bits) and so many bytes; the last one is END with the answer.
A connection that ends before that is one of who has gone. The command goes on then, as one of ssh(1) does, without
anybody who reads what it writes.
"""

from __future__ import annotations

import os
import selectors
import socket

from .._container.exec.enter import Command, pipes, step_in_and_start
from .._container.exec.privileges import close_others
from .._kernel.cgroup import Cgroup
from .._kernel.processes import ProcessId

STDOUT, STDERR, END = b"1", b"2", b"."
# Bytes at a time; a pipe's capacity (pipe(7)).
_PIECE = 1 << 16


def data_size(connection: socket.socket) -> int | None:
    """How many bytes of input are to come; None where who asked has gone."""
    head = connection.recv(8, socket.MSG_WAITALL)
    return int.from_bytes(head, "big") if len(head) == 8 else None


def send(connection: socket.socket, kind: bytes, data: bytes) -> None:
    """Send one frame."""
    connection.sendall(kind + len(data).to_bytes(4, "big") + data)


def run_relayed(connection: socket.socket, size: int, process: ProcessId, cgroup: Cgroup, command: Command) -> int:
    """Run `command` to its end, fed with the next `size` bytes of `connection`; its exit code, negative for a signal.

    Its end is also that of its streams, as with ssh(1): what it leaves in the background and still writes counts.
    For a process that is there for this alone. Raises as `spawn` does, BrokenPipeError where who asked has gone.
    """
    streams, (stdin, stdout, stderr) = pipes()
    pid = step_in_and_start(process, cgroup, command, streams)
    for fd in streams:
        os.close(fd)
    try:
        _relay(connection, _Source(connection, size, stdin), {stdout: STDOUT, stderr: STDERR}, pid)
    except (BrokenPipeError, ConnectionResetError):
        # The command learns it by its streams. It is still ours to wait for: the container's first process may not.
        close_others(set())
        os.waitpid(pid, 0)
        raise
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _relay(connection: socket.socket, source: _Source, outputs: dict[int, bytes], pid: int) -> None:
    """Move what comes and goes until the command `pid` has ended, and its streams have."""
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
    """A command's input on its way from the connection to its pipe, a piece at a time."""

    def __init__(self, connection: socket.socket, size: int, stdin: int) -> None:
        os.set_blocking(stdin, False)
        self._connection = connection
        self._left = size
        self._stdin = stdin
        self._piece = b""
        self._watched: int | None = None
        self._end_if_all()

    def watch(self, selector: selectors.BaseSelector) -> None:
        """Have `selector` tell when `move` has something to do: the pipe has room, or something has come.

        Nothing comes after the data but the end of the connection, which tells that who asked has gone.
        """
        wanted = self._stdin if self._piece else self._connection.fileno()
        if wanted == self._watched:
            return
        if self._watched is not None:
            selector.unregister(self._watched)
        selector.register(wanted, selectors.EVENT_WRITE if self._piece else selectors.EVENT_READ)
        self._watched = wanted

    def move(self) -> None:
        """Take the next piece, and give what is there to the command. Raises BrokenPipeError where nobody sends any."""
        if not self._piece:
            self._piece = self._connection.recv(min(self._left, _PIECE) or 1)
            if not self._piece or not self._left:
                raise BrokenPipeError("who asked has gone")
            self._left -= len(self._piece)
        try:
            self._piece = self._piece[os.write(self._stdin, self._piece) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            # The command reads no more: what is still to come is for nobody.
            self._piece = b""
        self._end_if_all()

    def _end_if_all(self) -> None:
        if not self._left and not self._piece:
            os.close(self._stdin)
