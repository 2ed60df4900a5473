# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A listening socket and the server loop: one process for each request, and an end after some idle time."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable

from .._kernel.descriptors import close_other_descriptors
from .._kernel.process_memory import copy_shared_memory
from .request_reader import AcceptRequest, RequestReader

# Seconds without a request after which the server ends.
_IDLE = 600
# Maximum bytes of the names of the modules that an answer has imported.
_LONGEST_REPORT = 1 << 16


def is_listening(path: str) -> bool:
    """Return whether a process listens at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # Does not wait for room in the queue of a process that is stopped.
        probe.setblocking(False)
        return probe.connect_ex(path) in (0, errno.EAGAIN)


def listen(path: str, uid: int = 0) -> socket.socket:
    """Listen at `path` on a socket with mode 0600 owned by `uid`. Replaces a file at `path`, which must be unused."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    umask = os.umask(0o177)
    listener.bind(path)
    os.umask(umask)
    os.chown(path, uid, -1)
    listener.listen(128)
    return listener


def serve(listener: socket.socket, admits: AcceptRequest, answer: Callable[[socket.socket, list[str]], None]) -> None:
    """Run `answer` in a new process for each request that `admits` accepts; return after some time without a request.

    The next worker is forked in advance and copies its memory first, because page faults for that take as long as the
    answer itself.
    """
    # Workers are not waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    reception = RequestReader(listener, admits)
    worker, is_busy = _start(listener, answer), False
    ends, is_ending = time.monotonic() + _IDLE, False
    while True:
        came, requests = reception.receive(max(0.0, ends - time.monotonic()), [worker] if is_busy else [])
        if is_busy and came:
            _load_modules_of(worker)
            # The last worker is done, so the fork does not delay it; or another request arrives.
            worker.close()
            worker, is_busy = _start(listener, answer), False
        for connection, request in requests:
            while is_busy or not _give(worker, connection, request):
                worker.close()
                worker, is_busy = _start(listener, answer), False
            connection.close()
            is_busy, ends = True, time.monotonic() + (0.0 if is_ending else _IDLE)
            # Marks the bundle as used. Other releases delete bundles that have not been used for a long time.
            with contextlib.suppress(OSError):
                os.utime(sys.argv[0])
        if time.monotonic() >= ends and not is_ending:
            # No new connections from now on; open ones are still served.
            is_ending = True
            with contextlib.suppress(FileNotFoundError):
                os.unlink(listener.getsockname())
        elif is_ending and not came and reception.is_empty():
            return


def _give(worker: socket.socket, connection: socket.socket, request: list[str]) -> bool:
    """Pass the request to the process at the other end of `worker`; return False if that process has ended."""
    body = "\0".join(request).encode(errors="surrogateescape")
    try:
        socket.send_fds(worker, [len(body).to_bytes(4, "big")], [connection.fileno()])
        worker.sendall(body)
    except OSError:
        return False
    return True


def _start(listener: socket.socket, answer: Callable[[socket.socket, list[str]], None]) -> socket.socket:
    """Start a process that waits for one request and answers it; return our end of a socket pair.

    The other end closes when the process ends, or when it has closed all its descriptors.
    """
    ours, its = socket.socketpair()
    if os.fork() == 0:
        try:
            # Also the connections of all clients: one of them would wait for the end of this process.
            close_other_descriptors({its.fileno(), listener.fileno()})
            if not _comes(listener, 0):
                copy_shared_memory()
            # The other end also closes if the server ends.
            head, fds, _, _ = socket.recv_fds(its, 4, 1)
            if fds:
                size = int.from_bytes(head, "big")
                body = its.recv(size, socket.MSG_WAITALL)
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                loaded = set(sys.modules)
                answer(socket.socket(fileno=fds[0]), body.decode(errors="surrogateescape").split("\0"))
                its.sendall(" ".join(name for name in sys.modules if name not in loaded).encode())
        except OSError:
            # The answer has closed all descriptors.
            pass
        finally:
            os._exit(0)
    its.close()
    return ours


def _load_modules_of(worker: socket.socket) -> None:
    """Import the modules that the last answer had to import, so that the next workers have them."""
    with contextlib.suppress(BlockingIOError, ConnectionResetError):
        for name in worker.recv(_LONGEST_REPORT, socket.MSG_DONTWAIT).decode().split():
            # One that only another module can find comes with that one.
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


def _comes(listener: socket.socket, timeout: float) -> bool:
    """Return whether a client connects within `timeout` seconds."""
    return bool(select.select([listener], [], [], timeout)[0])
