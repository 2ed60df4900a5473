# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the supervisor: a packet of JSON each, by a socket that only root reaches (unix(7), SOCK_SEQPACKET).

The supervisor confirms each request at once by a byte, and answers it when it is done.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import time
from typing import NamedTuple

from ..._engine.locks import supervisor_lock
from ..._engine.paths import LOCK_DIR, RUN_DIR, ContainerPaths
from ..._engine.typed_values import text
from ..._errors import Conflict, EffectFailed, LockTimeout
from ..._kernel.flock import locked

SOCKET = os.path.join(RUN_DIR, "supervisor.sock")
# The supervisor has read the request; or it is about to end or to be replaced, and a later request is answered.
ACCEPTED, LATER = b"+", b"-"
# Bytes of a request and of an answer, more than the longest error message.
LARGEST = 1 << 16
# Seconds within which a supervisor that is not stopped confirms, even on a slow host.
_CONFIRMED_WITHIN = 10.0
_PAUSE = 0.01


class NoSupervisor(Exception):
    """No supervisor runs, or it has ended without reading the request."""


def start_process(paths: ContainerPaths, seccomp: str, bundle: str, timeout: float) -> None:
    """Have the supervisor start the first process of a prepared container; return when it has executed its command.

    `seccomp`: path of its filter; `bundle`: directory of the bundle whose code starts it; `timeout`: seconds to wait
    for a supervisor that is about to end. Raises NoSupervisor, EffectFailed, Conflict.
    """
    container_dir = os.path.dirname(paths.directory)
    error = _ask(Request("start", paths.name, container_dir, seccomp, bundle), timeout).get("error")
    if error:
        raise EffectFailed(f"container {paths.name} did not start: {error}")


def adopt(paths: ContainerPaths, timeout: float) -> None:
    """Have the supervisor supervise a running container. Raises NoSupervisor, EffectFailed, Conflict."""
    found = _ask(Request("adopt", paths.name), timeout)
    if not found.get("supervised"):
        problem = found.get("error") or "it has no running process that can be supervised"
        raise EffectFailed(f"container {paths.name} is not supervised: {problem}")


def release(name: str) -> None:
    """Have the supervisor write the exit record of a container that was stopped, and not restart it.

    Returns when it is done, or if no supervisor runs. A supervisor that does not respond is killed.
    """
    with contextlib.suppress(NoSupervisor, Conflict):
        _ask(Request("release", name), _CONFIRMED_WITHIN)


def state_of(name: str) -> str:
    """Return "running" or "restarting" for a supervised container, "" for others and without a supervisor."""
    try:
        return str(_ask(Request("state", name), _CONFIRMED_WITHIN).get("state", ""))
    except (NoSupervisor, Conflict):
        return ""


def is_listening() -> bool:
    """Return whether a supervisor listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        return probe.connect_ex(SOCKET) == 0


def remove_stale_socket() -> None:
    """Remove the socket of a supervisor that was killed, if no container is left for which there will be another."""
    with contextlib.suppress(FileNotFoundError, LockTimeout):
        if any(name.endswith(".json") for name in os.listdir(os.path.join(RUN_DIR, "containers"))):
            return
        with locked(LOCK_DIR, supervisor_lock(), 0):
            if not is_listening():
                os.unlink(SOCKET)


def listen() -> socket.socket:
    """Listen at the supervisor's socket, and return it. Replaces a socket at which nothing listens. Raises OSError."""
    os.makedirs(RUN_DIR, mode=0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(SOCKET)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    umask = os.umask(0o177)
    listener.bind(SOCKET)
    os.umask(umask)
    # A client must never wait for room in the queue (the kernel limits it by net.core.somaxconn, 4096).
    listener.listen(4096)
    return listener


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return pid and user id of the process at the other end (SO_PEERCRED, unix(7))."""
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


class Request(NamedTuple):
    """A request as the supervisor receives it; see `start_process`."""

    verb: str
    name: str
    container_dir: str = ""
    seccomp: str = ""
    bundle: str = ""


def parse_request(data: bytes) -> Request | None:
    """Return the request in a packet, None if it is invalid."""
    try:
        value = json.loads(data)
        request = Request(**value)
    except (ValueError, TypeError, RecursionError):
        return None
    # The name is a part of paths.
    valid = all(map(text, request)) and "/" not in request.name and request.name not in ("", "..")
    return request if valid else None


def answer(connection: socket.socket, value: dict) -> None:
    """Send an answer and close the connection. The client may have been killed meanwhile."""
    with contextlib.suppress(OSError):
        connection.send(json.dumps(value).encode())
    connection.close()


def _ask(request: Request, timeout: float) -> dict:
    """Send `request` and return the answer.

    Raises NoSupervisor, and Conflict if the supervisor was about to end for `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = _ask_once(request)
        if value is not None:
            return value
        if time.monotonic() > deadline:
            raise Conflict(
                f"{request.name}: the supervisor stops all containers, as at shutdown of the host",
                "wait until it has ended, and run this again",
            )
        time.sleep(_PAUSE)


def _ask_once(request: Request) -> dict | None:
    """Return the answer; None if the request has to be sent again. Raises NoSupervisor, EffectFailed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(_CONFIRMED_WITHIN)
        try:
            connection.connect(SOCKET)
            connection.send(json.dumps(request._asdict()).encode())
            confirmed = connection.recv(1)
        except socket.timeout:
            # Before Python 3.10 it is no TimeoutError.
            _kill(connection)
            raise NoSupervisor from None
        except (FileNotFoundError, ConnectionError, BrokenPipeError):
            raise NoSupervisor from None
        if confirmed == LATER:
            return None
        if confirmed != ACCEPTED:
            raise NoSupervisor
        connection.settimeout(None)
        try:
            data = connection.recv(LARGEST)
        except ConnectionError:
            data = b""
    if not data:
        raise EffectFailed(f"container {request.name}: the supervisor ended unexpectedly", "run this again")
    value = json.loads(data)
    return value if isinstance(value, dict) else {}


def _kill(connection: socket.socket) -> None:
    """Kill a supervisor that does not respond, for instance one that was stopped. Its containers go on."""
    with contextlib.suppress(OSError):
        os.kill(peer(connection)[0], signal.SIGKILL)
