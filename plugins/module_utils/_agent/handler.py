# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handling of one request to the agent: its arguments, the streams of the command, and the answer.

A request is a length (32 bits, network byte order) and that many bytes: the kind of streams, the container's name, the
user inside and the arguments of the command, separated by NUL. The agent accepts it with one byte, after which the
client must not repeat it, and then answers with the exit status as a number, or with "!" and the error.

The streams are `own`, the standard streams of the client process, which must be pipes; the answer then goes to the end
of the connection. Or they are `relayed` over the connection itself, for clients on other machines: relayed_streams.py.

A request of the host command is `live`, a command in a container (live_exec.py), or `verb`, another verb (verb.py).

A request can also be `admit` and a user id. The answer is "=", a secret and a path: a socket that accepts requests of
that user which begin with the secret (admission.py).
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import os
import signal
import socket
import stat
import struct
from collections.abc import Callable

from .._container.exec.enter import Command, enter_and_start
from .._container.exec.running import RunningContainer, running_container
from .._container.spec.values import parse_user
from .._engine.container_records import read_run_state
from .._engine.decimal_number import decimal_number
from .._engine.names import parse_name
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, Conflict, InvalidInput
from .._kernel.cgroup import Cgroup
from .._kernel.processes import ProcessId
from . import admission, relayed_streams
from .client import ACCEPTED, require_client
from .live_exec import run_live

# Maximum bytes of an answer.
_LONGEST_ANSWER = 1 << 13


def accept_root(connection: socket.socket, request: list[str]) -> list[str] | None:
    """Return the request if it is from root, else None."""
    return request if _peer(connection)[1] == 0 else None


def accept_admitted_user(uid: int, secret: bytes, connection: socket.socket, request: list[str]) -> list[str] | None:
    """Return the request of the admitted user `uid` if it begins with `secret` and is `relayed`, else None."""
    given = request[0].encode(errors="surrogateescape")
    if _peer(connection)[1] != uid or not hmac.compare_digest(given, secret) or request[1:2] != ["relayed"]:
        return None
    return request[1:]


def answer(connection: socket.socket, request: list[str]) -> None:
    """Carry out `request` of `connection`, and answer."""
    kind, *arguments = request
    # The client may have disconnected.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if kind == "relayed":
            _enter_relayed(arguments, connection)
        elif kind == "admit":
            connection.sendall(_outcome(lambda: _admit(arguments, connection)))
        elif kind == "live":
            connection.sendall(run_live(connection, arguments, _peer(connection)[0], _find))
        elif kind == "verb":
            # Not loaded before the first verb: connections of controllers do not need it.
            from .verb import run_for_client

            connection.sendall(run_for_client(connection, arguments, _peer(connection)[0]))
        elif kind == "own":
            pid, _ = _peer(connection)
            connection.sendall(_outcome(lambda: _enter_with_streams_of(pid, arguments, connection)))
        else:
            connection.sendall(b"!unknown kind of request. Use the same release on the controller and on the host.")


def _peer(connection: socket.socket) -> tuple[int, int]:
    """Return pid and uid of the client (SO_PEERCRED, unix(7))."""
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


def _admit(arguments: list[str], connection: socket.socket) -> str:
    """Admit the user whose id is the only argument; return the answer. Raises InvalidInput."""
    uid = decimal_number(arguments[0], (1 << 32) - 1) if len(arguments) == 1 else None
    if uid is None:
        raise InvalidInput("admit requires one numeric user id")
    secret, path = admission.admit(uid, connection.getsockname(), accept_admitted_user, answer)
    return f"={secret.decode()} {path}"


def _enter_relayed(arguments: list[str], connection: socket.socket) -> None:
    connection.sendall(ACCEPTED)
    size = relayed_streams.data_size(connection)
    if size is not None:
        run = functools.partial(relayed_streams.run_relayed, connection, size)
        relayed_streams.send(connection, relayed_streams.END, _outcome(lambda: _enter(arguments, run)))


def _outcome(carry_out: Callable[[], int | str]) -> bytes:
    """Return the answer: the result of `carry_out`, or "!" and its error."""
    try:
        outcome = str(carry_out())
    except ConductorError as error:
        outcome = f"!{error}"
    except OSError as error:
        outcome = f"!{error.strerror}{f' ({error.filename})' if error.filename else ''}"
    return outcome.encode(errors="surrogateescape")[:_LONGEST_ANSWER]


def _enter_with_streams_of(pid: int, arguments: list[str], connection: socket.socket) -> int:
    streams = _streams(pid)
    require_client(connection)
    connection.sendall(ACCEPTED)
    return _enter(arguments, functools.partial(_run_with, streams))


def _run_with(streams: tuple[int, int, int], process: ProcessId, cgroup: Cgroup, command: Command) -> int:
    """Run `command` with `streams`, which are closed here; return its exit code, negative for a signal."""
    pid = enter_and_start(process, cgroup, command, streams)
    # Otherwise the writer of its input would not get EPIPE if the command closes it.
    for fd in streams:
        os.close(fd)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _streams(pid: int) -> tuple[int, int, int]:
    """Open the standard streams of process `pid`. Raises Conflict if one of them is not a pipe.

    Processes inside get the descriptors. A terminal, file or directory of the host would give them more than a stream.
    The pipes are reopened through /proc/PID/fd, because pidfd_getfd(2) requires the permission to trace, which Yama may
    deny even to root (Documentation/admin-guide/LSM/Yama.rst, ptrace_scope 3).
    """
    pidfd = os.pidfd_open(pid)
    try:
        streams = (_stream(pid, 0, os.O_RDONLY), _stream(pid, 1, os.O_WRONLY), _stream(pid, 2, os.O_WRONLY))
        # If the process still exists, its pid was not reused in the meantime.
        signal.pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        raise BrokenPipeError("the client has ended") from None
    finally:
        os.close(pidfd)
    return streams


def _stream(pid: int, number: int, mode: int) -> int:
    path = f"/proc/{pid}/fd/{number}"
    conflict = Conflict("standard input, output and error must be pipes", "run the client by ssh without a terminal")
    try:
        # Checked before the open, which can have side effects on a device.
        if not stat.S_ISFIFO(os.stat(path).st_mode):
            raise conflict
        # O_NONBLOCK: the open would wait for the other end.
        fd = os.open(path, mode | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise conflict from None
    os.set_blocking(fd, True)
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        raise conflict
    return fd


def _enter(arguments: list[str], run: Callable[[ProcessId, Cgroup, Command], int]) -> int:
    """Run the requested command with `run`; return its exit status, or 128 plus the signal number.

    Raises ConductorError.
    """
    if len(arguments) < 3:
        raise InvalidInput("the request must have a container, a user and a command")
    name, user, *argv = arguments
    container = _find(name)
    code = run(
        container.process, container.cgroup, container.command(tuple(argv), parse_user(user, "user"), login=True)
    )
    return code if code >= 0 else 128 - code


def _find(name: str) -> RunningContainer:
    """Return the running container with this name. Raises ConductorError."""
    paths = ContainerPaths.of(Settings.load({}).container_dir, parse_name(name, "container"))
    state = read_run_state(paths) or {}
    if "container_dir" in state:
        paths = ContainerPaths.of(state["container_dir"], name)
    return running_container(paths)
