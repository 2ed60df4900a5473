# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way into a container that runs already: all of its namespaces, its root, its cgroup, its capabilities."""

from __future__ import annotations

import os
import select
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..._errors import ConductorError, Conflict, EffectFailed
from ..._kernel import syscalls, user_namespace
from ..._kernel.cgroup import Cgroup
from ..._kernel.processes import ProcessId
from ..._kernel.rlimits import Limits, set_oom_score
from ..limits import raise_limits
from .privileges import Confinement, become_and_exec, close_others, report

# The mount namespace after the others, for /proc must be the host's until then. Who starts the command enters these...
_NAMESPACES = ("ipc", "uts", "net", "pid", "mnt")
# ...and the command itself these. To the cgroup of a container there is no way from inside its cgroup namespace: with
# nsdelegate (systemd's hosts) nobody gets in there from outside. The user namespace last, for who enters it is nobody
# outside.
_LAST = ("cgroup", "user")

# Seconds from the first step to the exec of the command's program. In between its process is within reach of those
# inside, who may stop it, or freeze its cgroup.
_PATIENCE = 30.0
# Seconds in which a first process has executed its program, as `wait_executed` has it.
_EXECUTED = 10.0


@dataclass(frozen=True)
class Command:
    """What to run. `working_dir` as seen inside; `confinement` is the container's own."""

    argv: tuple[str, ...]
    user: str
    env: tuple[tuple[str, str], ...]
    working_dir: str
    confinement: Confinement


def pipes() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """A command's standard streams as pipes: its own ends, and the other ones."""
    (in_r, in_w), (out_r, out_w), (err_r, err_w) = (os.pipe() for _ in range(3))
    return (in_r, out_w, err_w), (in_w, out_r, err_r)


def spawn(
    process: ProcessId,
    cgroup: Cgroup,
    command: Command,
    streams: tuple[int, ...],
    wait: bool,
    arrange: Callable[[], tuple[int, int, int]] | None = None,
    deadline: float | None = None,
) -> tuple[int, int]:
    """Fork a helper that enters the container and starts the command there: the helper's pid and the command's.

    The helper waits for the command where `wait` says so, and ends as that did. `streams` are what the command has as
    its standard ones; with `arrange` these are what it returns, called inside by the leader of the command's session,
    and `streams` are descriptors that it needs.

    Raises Conflict where the container has ended, and EffectFailed where the command cannot be executed, or was not
    within 30 seconds; TimeoutError where it was not by `deadline` (time.monotonic()). It has been killed then.
    """
    latest = _latest_exec()
    own = deadline is None or deadline > latest
    until = latest if deadline is None else min(deadline, latest)
    way = _Way.to(process, until)
    error_r, error_w = os.pipe()
    pid_r, pid_w = os.pipe()
    helper = syscalls.clone3()
    if helper == 0:
        try:
            # Also those that came with the module's process: one of a directory would lead out (CVE-2024-21626).
            close_others({*streams, *way.namespaces.values(), error_w, pid_w})
            # What is typed at the caller's terminal to end something is not for who waits here.
            os.setpgid(0, 0)
            inner = _step_in(way, process, cgroup, command, streams, arrange, error_w)
            os.write(pid_w, str(inner).encode())
            for fd in {*streams, error_w, pid_w}:
                os.close(fd)
            _end_as(inner) if wait else os._exit(0)
        except BaseException as caught:
            os.write(error_w, report(caught))
        finally:
            os._exit(127)
    os.close(error_w)
    os.close(pid_w)
    inner = 0
    try:
        # To the end it may never come: a process that is frozen as it is born has this open, too.
        inner = int(_read(pid_r, until) or b"0")
        error = _read_to_end(error_r, until)
    except TimeoutError:
        # The command first: without its parent it would be its container's, whoever that lets live.
        for pid in filter(None, (inner, helper)):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(helper, 0)
        way.close()
        if own:
            raise _not_begun(cgroup) from None
        raise
    finally:
        os.close(pid_r)
        os.close(error_r)
    if error:
        os.waitpid(helper, 0)
    way.arrived(error)
    return helper, inner


def _latest_exec() -> float:
    return time.monotonic() + _PATIENCE


def _read(fd: int, deadline: float) -> bytes:
    """What is written next to a pipe, nothing where it is closed. Raises TimeoutError."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError
    return os.read(fd, 1 << 16)


def _read_to_end(fd: int, deadline: float) -> bytes:
    """All that is written to a pipe until it is closed. Raises TimeoutError."""
    parts = []
    while part := _read(fd, deadline):
        parts.append(part)
    return b"".join(parts)


def _not_begun(cgroup: Cgroup) -> EffectFailed:
    return EffectFailed(
        f"container {os.path.basename(cgroup.path)}: the command did not begin within {_PATIENCE:g} s, and was killed",
        "something inside stops what enters, or has frozen its cgroup: stop the container",
    )


def step_in_and_start(process: ProcessId, cgroup: Cgroup, command: Command, streams: tuple[int, int, int]) -> int:
    """Enter the container, start `command` there with `streams`, and come back: its pid, as that of a child.

    It saves the fork of a helper. For a process that is there for this alone, and has one thread: it has the command's
    limits and its place in the order of whom the kernel kills first, and nobody can trace it. Raises as `spawn` does.
    """
    deadline = _latest_exec()
    way = _Way.to(process, deadline)
    error_r, error_w = os.pipe()
    inner, error = 0, b""
    back = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in _NAMESPACES]
    try:
        inner = _step_in(way, process, cgroup, command, streams, None, error_w)
    except (ConductorError, OSError) as caught:
        error = report(caught)
    os.close(error_w)
    for fd in back:
        # Else its mounts would be in use for as long as somebody reads slowly what the command has written.
        syscalls.setns(fd)
        os.close(fd)
    try:
        error += _read_to_end(error_r, deadline)
    except TimeoutError:
        if inner:
            os.kill(inner, signal.SIGKILL)
            os.waitpid(inner, 0)
        way.close()
        raise _not_begun(cgroup) from None
    finally:
        os.close(error_r)
    way.arrived(error)
    return inner


@dataclass(frozen=True)
class _Way:
    """What leads into a container, held open: its first process's directory in /proc, and its namespaces by name.

    `root_id` is the host's id of its root.
    """

    proc: int
    namespaces: dict[str, int]
    root_id: int

    @classmethod
    def to(cls, process: ProcessId, deadline: float) -> _Way:
        """Raises Conflict where the container has ended."""
        # Before that its namespaces, or some of them, are the host's.
        left = deadline - time.monotonic()
        if not (process.wait_executed() if left > _EXECUTED else process.wait_executed(max(0.0, left))):
            raise ended_before()
        opened: list[int] = []
        try:
            opened.append(os.open(f"/proc/{process.pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            root_id = user_namespace.root_id(process.pid)
            names = (*_NAMESPACES, *_LAST)
            for name in names:
                opened.append(os.open(f"ns/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=opened[0]))
            # Looked at after opening: had the pid passed to another process meanwhile, these would be that one's.
            if process.alive():
                return cls(opened[0], dict(zip(names, opened[1:])), root_id)
        except (FileNotFoundError, ProcessLookupError):
            pass
        for fd in opened:
            os.close(fd)
        raise ended_before()

    @property
    def descriptors(self) -> list[int]:
        return [self.proc, *self.namespaces.values()]

    def arrived(self, error: bytes) -> None:
        """Close it. Where there was an `error`, raises Conflict or EffectFailed: the former where it leads nowhere."""
        try:
            # Whatever failed first on the way in: no such process, no memory for a process in a namespace that ends.
            if error and not _has_root(self.proc):
                raise ended_before()
            if error:
                raise EffectFailed(error.decode(errors="replace"))
        finally:
            self.close()

    def close(self) -> None:
        for fd in self.descriptors:
            os.close(fd)


def _step_in(
    way: _Way,
    process: ProcessId,
    cgroup: Cgroup,
    command: Command,
    streams: tuple[int, ...],
    arrange: Callable[[], tuple[int, int, int]] | None,
    error_fd: int,
) -> int:
    """Enter the container, but for its cgroup and user namespace, and fork the command, which enters these: its pid.

    What fails in the command's process before it executes the program is written to `error_fd`, which an exec closes.
    Raises ConductorError and OSError.
    """
    # A container must not reach into a process of the host's that is on its way in (CVE-2016-9962).
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    # Keys of who runs this are none of the container's.
    syscalls.new_session_keyring()
    set_oom_score(command.confinement.oom_score_adj)
    limits = raise_limits(command.confinement.ulimits)
    entry = cgroup.open(beside=process.pid)
    for fd in streams:
        # So that root inside can open them once more, by /dev/stdout and the like.
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            os.fchown(fd, way.root_id, way.root_id)
    for name in _NAMESPACES:
        syscalls.setns(way.namespaces[name])
    inner = entry.fork()
    if inner == 0:
        try:
            # First of all: who forked it may have directories, and the way back to the host, open.
            close_others({*streams, *(way.namespaces[name] for name in _LAST), *entry.descriptors, error_fd})
            entry.join()
            syscalls.setns(way.namespaces["cgroup"])
            if way.root_id:
                user_namespace.enter(way.namespaces["user"])
            _command(command, streams, arrange, limits, error_fd)
        except BaseException as error:
            os.write(error_fd, report(error))
        finally:
            os._exit(127)
    entry.close()
    return inner


def _command(
    command: Command,
    streams: tuple[int, ...],
    arrange: Callable[[], tuple[int, int, int]] | None,
    limits: Limits,
    error_fd: int,
) -> None:
    """Be the command, in all of its namespaces. Does not return."""
    os.setsid()
    for number, fd in enumerate(arrange() if arrange else streams):
        os.dup2(fd, number)
    become_and_exec(
        command.argv,
        user=command.user,
        env=command.env,
        working_dir=command.working_dir,
        confinement=command.confinement,
        limits=limits,
    )


def _end_as(child: int) -> None:
    """Wait for `child` and end as it did, by the same status or signal."""
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def is_ending(process: ProcessId) -> bool:
    """Whether it has ended, or does just now."""
    try:
        proc = os.open(f"/proc/{process.pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return True
    try:
        return not (process.alive() and _has_root(proc))
    finally:
        os.close(proc)


def _has_root(proc: int) -> bool:
    """Whether the process of that directory in /proc has a root: it lets go of it before it counts as dead (do_exit(),
    kernel/exit.c).
    """
    try:
        os.stat("root", dir_fd=proc)
    except OSError:
        return False
    return True


def ended_before() -> Conflict:
    """What to tell who wanted to run a command in a container that has ended meanwhile."""
    return Conflict("the container ended before the command could start", "start it with state=started")
