# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket at which somebody serves for as long as anybody asks: a process for each request, and an end by itself."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Callable

from .._linux.memory import copy_all

# Seconds without a request after which it ends.
_IDLE = 600


def is_answered(path: str) -> bool:
    """Whether somebody listens at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == 0


def listen(path: str, uid: int = 0) -> socket.socket:
    """A socket at `path` that only user `uid` can reach, by its mode. What is there goes: nobody listens there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    umask = os.umask(0o177)
    listener.bind(path)
    os.umask(umask)
    os.chown(path, uid, -1)
    listener.listen(128)
    return listener


def serve(listener: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    """Have a process `answer` each connection, until there was none for a while.

    The next one waits ahead of need, with memory of its own: to copy that page by page takes as long as to answer.
    """
    # Children that answer are nobody's to wait for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while _next(listener, answer):
        # Tells that the program is in use: what nobody has used for long is deleted by the next release.
        with contextlib.suppress(OSError):
            os.utime(sys.argv[0])
    # Nobody finds it from now on; who has connected before is served still.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(listener.getsockname())
    while _comes(listener, 0):
        _next(listener, answer)


def _next(listener: socket.socket, answer: Callable[[socket.socket], None]) -> bool:
    """Have a process wait for the next connection; whether one came. Returns when it is time for another process.

    That is when this one is done, so that it does not take time from what is asked of it; or when somebody comes.
    """
    ours, its = socket.socketpair()
    if os.fork() == 0:
        try:
            ours.close()
            if not _comes(listener, 0):
                copy_all()
            # The other end is also closed when the server ends.
            ready, _, _ = select.select([listener, its], [], [], _IDLE)
            if ready == [listener]:
                connection, _ = listener.accept()
                its.send(b"+")
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(connection)
        finally:
            os._exit(0)
    its.close()
    with ours:
        came = bool(ours.recv(1))
        if came:
            # Until that process ends, or has closed all.
            select.select([ours, listener], [], [])
    return came


def _comes(listener: socket.socket, timeout: float) -> bool:
    """Whether somebody connects within `timeout` seconds."""
    return bool(select.select([listener], [], [], timeout)[0])
