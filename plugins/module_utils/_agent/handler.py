# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One who wants to enter a container: what is asked, the streams of the command, and the answer.

A request is a length (32 bits, network byte order) and so many bytes: whose the streams are, the container's name, the
user inside and the arguments of the command, with NUL between them. It is answered by one byte as soon as it has been
taken, after which nobody asks a second time; and then by the exit status as a number, or by "!" and why there is none.

Streams are `own`, the standard ones of the process that asks, which must be pipes: the answer goes to the end of the
connection. Or they are `relayed` by the connection itself, for who is not on this host: relayed_streams.py.

A request may also be `admit` and a user's number. It is answered by "=", a secret and a path: where requests are taken
from that user, too, if they begin with the secret (admission.py).
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

from .._container import store
from .._container.cgroup_paths import cgroup_of
from .._container.exec.enter import Command, step_in_and_start
from .._container.exec.privileges import Confinement
from .._container.seccomp.filters import filter_at
from .._container.spec.values import parse_user
from .._engine.container_records import process_in, read_run_state
from .._engine.names import parse_name
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, Conflict, InvalidInput, NotFound
from .._kernel.cgroup import Cgroup
from .._kernel.processes import ProcessId
from . import admission, relayed_streams

TAKEN = b"+"
# Bytes of an answer at most.
_LONGEST_ANSWER = 1 << 13


def admits_root(connection: socket.socket, request: list[str]) -> list[str] | None:
    """All that root asks."""
    return request if _asker(connection)[1] == 0 else None


def admits_user(uid: int, secret: bytes, connection: socket.socket, request: list[str]) -> list[str] | None:
    """What user `uid` asks, who has been admitted: only `relayed`, and only if `secret` comes first."""
    told = request[0].encode(errors="surrogateescape")
    if _asker(connection)[1] != uid or not hmac.compare_digest(told, secret) or request[1:2] != ["relayed"]:
        return None
    return request[1:]


def answer(connection: socket.socket, request: list[str]) -> None:
    """Carry out what is asked on `connection`, and answer."""
    kind, *asked = request
    # Who asked may be gone, as where a connection was cut.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if kind == "relayed":
            _enter_relayed(asked, connection)
        elif kind == "admit":
            connection.sendall(_said(lambda: _admit(asked, connection)))
        elif kind == "own":
            pid, _ = _asker(connection)
            connection.sendall(_said(lambda: _enter_with_streams_of(pid, asked, connection)))
        else:
            connection.sendall(b"!the request is of a kind that this release does not know")


def _asker(connection: socket.socket) -> tuple[int, int]:
    """Who has connected: pid and uid (SO_PEERCRED, unix(7))."""
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid


def _admit(asked: list[str], connection: socket.socket) -> str:
    """What to tell who asks for user `asked` to be admitted. Raises InvalidInput."""
    if len(asked) != 1 or not asked[0].isascii() or not asked[0].isdigit():
        raise InvalidInput("who is admitted is a user's number")
    secret, path = admission.admit(int(asked[0]), connection.getsockname(), admits_user, answer)
    return f"={secret.decode()} {path}"


def _enter_relayed(asked: list[str], connection: socket.socket) -> None:
    connection.sendall(TAKEN)
    size = relayed_streams.data_size(connection)
    if size is not None:
        run = functools.partial(relayed_streams.run_relayed, connection, size)
        relayed_streams.send(connection, relayed_streams.END, _said(lambda: _enter(asked, run)))


def _said(carry_out: Callable[[], int | str]) -> bytes:
    """What `carry_out` returns, as a status, or why there is nothing."""
    try:
        said = str(carry_out())
    except ConductorError as error:
        said = f"!{error}"
    except OSError as error:
        said = f"!{error.strerror}{f' ({error.filename})' if error.filename else ''}"
    return said.encode(errors="surrogateescape")[:_LONGEST_ANSWER]


def _enter_with_streams_of(pid: int, asked: list[str], connection: socket.socket) -> int:
    streams = _streams(pid)
    connection.sendall(TAKEN)
    return _enter(asked, functools.partial(_run_with, streams))


def _run_with(streams: tuple[int, int, int], process: ProcessId, cgroup: Cgroup, command: Command) -> int:
    """Run `command` to its end with `streams`, which are closed here; its exit code, negative for a signal."""
    pid = step_in_and_start(process, cgroup, command, streams)
    # Or whoever feeds the command would not learn that it does not read any more.
    for fd in streams:
        os.close(fd)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _streams(pid: int) -> tuple[int, int, int]:
    """The pipes that are the standard streams of process `pid`. Raises Conflict if one of them is no pipe.

    What is inside gets them as they are: a terminal, a file or a directory of the host's would be more than a stream.
    They are opened anew by /proc/PID/fd, for pidfd_getfd(2) asks for the right to trace, which Yama may keep from root
    (Documentation/admin-guide/LSM/Yama.rst, ptrace_scope 3).
    """
    pidfd = os.pidfd_open(pid)
    try:
        streams = (_stream(pid, 0, os.O_RDONLY), _stream(pid, 1, os.O_WRONLY), _stream(pid, 2, os.O_WRONLY))
        # Then it was this very process's until now.
        signal.pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        raise BrokenPipeError("who asked has gone") from None
    finally:
        os.close(pidfd)
    return streams


def _stream(pid: int, number: int, mode: int) -> int:
    path = f"/proc/{pid}/fd/{number}"
    conflict = Conflict("standard input, output and error must be pipes", "as those of ssh without a terminal are")
    try:
        # Looked at first: to open a device or a named pipe may act.
        if not stat.S_ISFIFO(os.stat(path).st_mode):
            raise conflict
        # Not blocking, or it would wait for the other end.
        fd = os.open(path, mode | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise conflict from None
    os.set_blocking(fd, True)
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        raise conflict
    return fd


def _enter(asked: list[str], run: Callable[[ProcessId, Cgroup, Command], int]) -> int:
    """Have `run` run the command that is asked for; its exit status, 128 and more for a signal.

    Raises ConductorError.
    """
    if len(asked) < 3:
        raise InvalidInput("a request has a container, a user and a command")
    name, user, *argv = asked
    paths = ContainerPaths.of(Settings.load({}).container_dir, parse_name(name, "container"))
    state = read_run_state(paths) or {}
    if "container_dir" in state:
        paths = ContainerPaths.of(state["container_dir"], name)
    spec = store.read_spec(paths)
    if spec is None:
        raise NotFound(f"there is no container {name!r} on this host", "create it with conductor_container")
    process = process_in(state)
    if process is None or not process.wait_executed():
        raise Conflict(f"container {name} is not running", "start it with conductor_container state=started")
    command = Command(
        argv=tuple(argv),
        user=parse_user(user, "user"),
        env=spec.env,
        working_dir=spec.working_dir,
        confinement=Confinement.of(spec, filter_at(state.get("seccomp", ""), spec)),
    )
    code = run(process, cgroup_of(name), command)
    return code if code >= 0 else 128 - code
