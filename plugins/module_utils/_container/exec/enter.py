# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start of a process in a running container: in its namespaces, root and cgroup, with its capabilities at most."""

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
from ..._kernel.descriptors import close_other_descriptors
from ..._kernel.processes import ProcessId
from ..._kernel.rlimits import Limits, set_oom_score
from ..error_line import error_line
from ..limits import raise_limits
from .privileges import Confinement, become_and_exec

# Entered by the parent of the command, the mount namespace last, since /proc must be the host's until then.
_NAMESPACES = ("ipc", "uts", "net", "pid", "mnt")
# Entered by the command itself. With the mount option nsdelegate (hosts with systemd) a process cannot join the cgroup
# from inside its cgroup namespace. The user namespace is last, since a process in it has no rights outside.
_LAST = ("cgroup", "user")

# Seconds from the first step to the exec of the command's program. In between, processes inside can reach its process:
# they can stop it, or freeze its cgroup.
ENTRY_TIMEOUT = 30.0
# Signals that ask a process to end.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)

# Seconds that `wait_for_exec` waits by default for the first process to execute its program.
_EXEC_TIMEOUT = 10.0


@dataclass(frozen=True)
class Command:
    """A command to run inside. `working_dir` is a path inside; `confinement` is the container's.

    `login`: whether it has the environment of a login by ssh.
    """

    argv: tuple[str, ...]
    user: str
    env: tuple[tuple[str, str], ...]
    working_dir: str
    confinement: Confinement
    login: bool = False


def pipes() -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Pipes for standard input, output and error: the ends of the command, and the ends of the caller."""
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
    """Fork a helper that enters the container and starts the command there; return the pids of helper and command.

    With `wait` the helper waits for the command and ends with its status. `streams` are the standard streams of the
    command. `arrange` is a function that the leader of the command's session calls inside: with it, its result is the
    standard streams, and `streams` are descriptors that it needs.

    Raises Conflict if the container has stopped, EffectFailed if the command cannot be executed or is not executed
    within 30 seconds, TimeoutError if it is not executed by `deadline` (time.monotonic()). After a timeout the command
    has been killed.
    """
    latest = _latest_exec()
    uses_entry_timeout = deadline is None or deadline > latest
    until = latest if deadline is None else min(deadline, latest)
    handles = _EntryHandles.open(process, until)
    error_r, error_w = os.pipe()
    pid_r, pid_w = os.pipe()
    helper = syscalls.clone3()
    if helper == 0:
        try:
            # Includes inherited descriptors: one of a directory would give access to the host (CVE-2024-21626).
            close_other_descriptors({*streams, *handles.namespaces.values(), error_w, pid_w})
            # Signals to the caller must not end the helper: neither from its terminal, nor by its command line, which
            # the helper has, too (pkill -f).
            os.setpgid(0, 0)
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
            inner = _step_in(handles, process, cgroup, command, streams, arrange, error_w)
            os.write(pid_w, str(inner).encode())
            for fd in {*streams, error_w, pid_w}:
                os.close(fd)
            _exit_like(inner) if wait else os._exit(0)
        except BaseException as caught:
            os.write(error_w, error_line(caught))
        finally:
            os._exit(127)
    os.close(error_w)
    os.close(pid_w)
    inner = 0
    try:
        # Not read to its end: a process that is frozen right after the fork holds this pipe open, too.
        inner = int(_read(pid_r, until) or b"0")
        error = _read_to_end(error_r, until)
    except TimeoutError:
        # The command first: without its parent it would be adopted by the container's first process, and live on.
        for pid in filter(None, (inner, helper)):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(helper, 0)
        handles.close()
        if uses_entry_timeout:
            raise _entry_timeout(cgroup) from None
        raise
    finally:
        os.close(pid_r)
        os.close(error_r)
    if error:
        os.waitpid(helper, 0)
    handles.finish(error)
    return helper, inner


def _latest_exec() -> float:
    return time.monotonic() + ENTRY_TIMEOUT


def _read(fd: int, deadline: float) -> bytes:
    """The next bytes of a pipe, empty if it is closed. Raises TimeoutError."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError
    return os.read(fd, 1 << 16)


def _read_to_end(fd: int, deadline: float) -> bytes:
    """All bytes of a pipe until it is closed. Raises TimeoutError."""
    parts = []
    while part := _read(fd, deadline):
        parts.append(part)
    return b"".join(parts)


def _entry_timeout(cgroup: Cgroup) -> EffectFailed:
    return EffectFailed(
        f"container {os.path.basename(cgroup.path)}: the command did not begin within {ENTRY_TIMEOUT:g} s and was "
        "killed; a process inside stops entering processes, or has frozen its cgroup",
        "stop the container",
    )


def enter_and_start(process: ProcessId, cgroup: Cgroup, command: Command, streams: tuple[int, int, int]) -> int:
    """Enter the container, start `command` there with `streams`, leave it, and return the pid of the command, a child.

    It saves the fork of a helper. Requires a process with one thread that does nothing else: it gets the limits and the
    oom_score_adj of the command and is not dumpable, so that processes inside cannot trace it. Raises the errors of
    `spawn`.
    """
    deadline = _latest_exec()
    handles = _EntryHandles.open(process, deadline)
    error_r, error_w = os.pipe()
    inner, error = 0, b""
    own_namespaces = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in _NAMESPACES]
    try:
        inner = _step_in(handles, process, cgroup, command, streams, None, error_w)
    except (ConductorError, OSError) as caught:
        error = error_line(caught)
    os.close(error_w)
    for fd in own_namespaces:
        # Left at once: this process would keep the container's mounts busy until the output has been read.
        syscalls.setns(fd)
        os.close(fd)
    try:
        error += _read_to_end(error_r, deadline)
    except TimeoutError:
        if inner:
            os.kill(inner, signal.SIGKILL)
            os.waitpid(inner, 0)
        handles.close()
        raise _entry_timeout(cgroup) from None
    finally:
        os.close(error_r)
    handles.finish(error)
    return inner


@dataclass(frozen=True)
class _EntryHandles:
    """Open descriptors for entering a container: the directory of its first process in /proc, its namespaces by name.

    `root_id` is the host's id of root inside.
    """

    proc: int
    namespaces: dict[str, int]
    root_id: int

    @classmethod
    def open(cls, process: ProcessId, deadline: float) -> _EntryHandles:
        """Open the descriptors. Raises Conflict if the container has stopped."""
        # Until the first process has executed its program, some of its namespaces are the host's.
        left = deadline - time.monotonic()
        if not (process.wait_for_exec() if left > _EXEC_TIMEOUT else process.wait_for_exec(max(0.0, left))):
            raise container_stopped_error()
        opened: list[int] = []
        try:
            opened.append(os.open(f"/proc/{process.pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            root_id = user_namespace.root_id(process.pid)
            names = (*_NAMESPACES, *_LAST)
            for name in names:
                opened.append(os.open(f"ns/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=opened[0]))
            # Checked after opening: if the pid was reused meanwhile, these belong to another process.
            if process.is_alive():
                return cls(opened[0], dict(zip(names, opened[1:])), root_id)
        except (FileNotFoundError, ProcessLookupError):
            pass
        for fd in opened:
            os.close(fd)
        raise container_stopped_error()

    @property
    def descriptors(self) -> list[int]:
        return [self.proc, *self.namespaces.values()]

    def finish(self, error: bytes) -> None:
        """Close the descriptors. With an `error`, raises Conflict if the container has stopped, else EffectFailed."""
        try:
            # A stopping container causes various errors, like ENOMEM for a fork into its PID namespace.
            if error and not _has_root(self.proc):
                raise container_stopped_error()
            if error:
                raise EffectFailed(error.decode(errors="replace"))
        finally:
            self.close()

    def close(self) -> None:
        for fd in self.descriptors:
            os.close(fd)


def _step_in(
    handles: _EntryHandles,
    process: ProcessId,
    cgroup: Cgroup,
    command: Command,
    streams: tuple[int, ...],
    arrange: Callable[[], tuple[int, int, int]] | None,
    error_fd: int,
) -> int:
    """Enter all namespaces but cgroup and user, and fork the command, which enters these; return its pid.

    An error in the command's process before it executes the program is written to `error_fd`, which an exec closes.
    Raises ConductorError and OSError.
    """
    # Processes inside must not access a process of the host that is entering (CVE-2016-9962).
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    # The container must not get keys of the caller.
    syscalls.new_session_keyring()
    set_oom_score(command.confinement.oom_score_adj)
    limits = raise_limits(command.confinement.ulimits)
    entry = cgroup.open(beside=process.pid)
    for fd in streams:
        # Lets root inside open /dev/stdout and the other streams.
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            os.fchown(fd, handles.root_id, handles.root_id)
    for name in _NAMESPACES:
        syscalls.setns(handles.namespaces[name])
    inner = entry.fork()
    if inner == 0:
        try:
            # First: inherited descriptors of directories and of the host's namespaces would lead out.
            close_other_descriptors(
                {*streams, *(handles.namespaces[name] for name in _LAST), *entry.descriptors, error_fd}
            )
            entry.join()
            syscalls.setns(handles.namespaces["cgroup"])
            if handles.root_id:
                user_namespace.enter(handles.namespaces["user"])
            become_command(command, streams, arrange, limits, error_fd)
        except BaseException as error:
            os.write(error_fd, error_line(error))
        finally:
            os._exit(127)
    entry.close()
    return inner


def become_command(
    command: Command,
    streams: tuple[int, ...],
    arrange: Callable[[], tuple[int, int, int]] | None,
    limits: Limits,
    error_fd: int,
) -> None:
    """Become the command, in all of its namespaces. Does not return."""
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
        login=command.login,
    )


def _exit_like(child: int) -> None:
    """Wait for `child` and end with the same exit status or signal."""
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        # The caller may have blocked it.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [-code])
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def is_ending(process: ProcessId) -> bool:
    """Whether the process has ended or is ending."""
    try:
        proc = os.open(f"/proc/{process.pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return True
    try:
        return not (process.is_alive() and _has_root(proc))
    finally:
        os.close(proc)


def _has_root(proc: int) -> bool:
    """Whether the process of this directory in /proc has a root, which it releases before it becomes a zombie.

    Source: do_exit(), kernel/exit.c.
    """
    try:
        os.stat("root", dir_fd=proc)
    except OSError:
        return False
    return True


def container_stopped_error() -> Conflict:
    """The error for a command whose container has stopped before the command could start."""
    return Conflict("the container stopped before the command could start", "start it with state=started")
