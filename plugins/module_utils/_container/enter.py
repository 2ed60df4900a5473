# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a command in a container that runs already: all of its namespaces, its root, its cgroup, its capabilities."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .._errors import Conflict, EffectFailed
from .._linux import libc, userns
from .._linux.cgroups import Cgroup
from .._linux.processes import ProcessId
from .._linux.rlimits import Limits, set_oom_score
from .limits import raise_limits
from .process import Confinement, become_and_exec, close_others, report

# The mount namespace after the others, for /proc must be the host's until then. The helper enters these...
_NAMESPACES = ("ipc", "uts", "net", "pid", "mnt")
# ...and the command itself these. To the cgroup of a container there is no way from inside its cgroup namespace: with
# nsdelegate (systemd's hosts) nobody gets in there from outside. The user namespace last, for who enters it is nobody
# outside.
_LAST = ("cgroup", "user")


@dataclass(frozen=True)
class Command:
    """What to run. `working_dir` as seen inside; `confinement` is the container's own."""

    argv: tuple[str, ...]
    user: str
    env: tuple[tuple[str, str], ...]
    working_dir: str
    confinement: Confinement


@dataclass(frozen=True)
class Outcome:
    """How it ended: `rc` negative for a signal, None where it ran over its time."""

    rc: int | None
    stdout: bytes
    stderr: bytes


def run_inside(process: ProcessId, cgroup: Cgroup, command: Command, stdin: bytes, timeout: float | None) -> Outcome:
    """Run `command` to its end, or for `timeout` seconds, after which its process group is killed.

    Raises Conflict where the container has ended, EffectFailed where the command cannot be executed.
    """
    helper, inner, (in_w, out_r, err_r) = spawn_piped(process, cgroup, command)
    pidfd = os.pidfd_open(helper)
    try:
        timed_out, stdout, stderr = _pump(pidfd, in_w, out_r, err_r, stdin, timeout)
        if timed_out:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(inner, signal.SIGKILL)
        _, status = os.waitpid(helper, 0)
    finally:
        os.close(pidfd)
    code = os.waitstatus_to_exitcode(status)
    # The helper passes a signal on as 256 cannot be: it ends itself by the same signal.
    return Outcome(None if timed_out else code, stdout, stderr)


def pass_through(streams: tuple[int, int, int], process: ProcessId, cgroup: Cgroup, command: Command) -> int:
    """Run `command` to its end with the pipes `streams` as its own, which are closed here; its exit code.

    The code is negative for a signal. Raises as `run_inside` does.
    """
    try:
        helper, _ = spawn(process, cgroup, command, streams, wait=True)
    finally:
        # Or whoever feeds the command would not learn that it does not read any more.
        for fd in streams:
            os.close(fd)
    _, status = os.waitpid(helper, 0)
    return os.waitstatus_to_exitcode(status)


def start_inside(process: ProcessId, cgroup: Cgroup, command: Command, log: str) -> int:
    """Start `command` and leave it running, its output appended to the file `log`; its pid on the host."""
    # Nothing to read, as from /dev/null: but that one would be the host's, within reach of who is root there, too.
    null, writer = os.pipe()
    os.close(writer)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        helper, inner = spawn(process, cgroup, command, (null, out, out), wait=False)
        os.waitpid(helper, 0)
    finally:
        os.close(null)
        os.close(out)
    return inner


def spawn_piped(process: ProcessId, cgroup: Cgroup, command: Command) -> tuple[int, int, tuple[int, int, int]]:
    """Start `command` as `spawn` does, with pipes as its streams: the helper's pid, the command's, and our ends.

    The ends are what its standard input is written to, and what its output and its errors are read from. Raises as
    `run_inside` does.
    """
    (in_r, in_w), (out_r, out_w), (err_r, err_w) = (os.pipe() for _ in range(3))
    try:
        helper, inner = spawn(process, cgroup, command, (in_r, out_w, err_w), wait=True)
    except BaseException:
        for fd in (in_w, out_r, err_r):
            os.close(fd)
        raise
    finally:
        for fd in (in_r, out_w, err_w):
            os.close(fd)
    return helper, inner, (in_w, out_r, err_r)


def spawn(
    process: ProcessId,
    cgroup: Cgroup,
    command: Command,
    streams: tuple[int, ...],
    wait: bool,
    arrange: Callable[[], tuple[int, int, int]] | None = None,
) -> tuple[int, int]:
    """Fork a helper that enters the container and starts the command there: the helper's pid and the command's.

    The helper waits for the command where `wait` says so, and ends as that did. `streams` are what the command has as
    its standard ones; with `arrange` these are what it returns, called inside by the leader of the command's session,
    and `streams` are descriptors that it needs. Raises as `run_inside` does.
    """
    namespaces, root_id = _open_namespaces(process)
    error_r, error_w = os.pipe()
    pid_r, pid_w = os.pipe()
    helper = libc.clone3()
    if helper == 0:
        try:
            # A container must not reach into a process of the host's that is on its way in (CVE-2016-9962).
            libc.prctl(libc.PR_SET_DUMPABLE, 0)
            # Also those that came with the module's process: one of a directory would lead out (CVE-2024-21626).
            close_others({*streams, *namespaces.values(), error_w, pid_w})
            # Keys of who runs the module are none of the container's.
            libc.new_session_keyring()
            # What is typed at the caller's terminal to end something is not for who waits here.
            os.setpgid(0, 0)
            set_oom_score(command.confinement.oom_score_adj)
            limits = raise_limits(command.confinement.ulimits)
            entry = cgroup.open(beside=process.pid)
            _give_pipes(streams, root_id)
            for name in _NAMESPACES:
                libc.setns(namespaces[name])
            inner = entry.fork()
            if inner == 0:
                entry.join()
                libc.setns(namespaces["cgroup"])
                if root_id:
                    userns.enter(namespaces["user"])
                _command(command, arrange or (lambda: streams), limits, error_w)
            entry.close()
            os.write(pid_w, str(inner).encode())
            for fd in {*streams, error_w, pid_w}:
                os.close(fd)
            _end_as(inner) if wait else os._exit(0)
        except BaseException as error:
            os.write(error_w, report(error))
        finally:
            os._exit(127)
    for fd in (error_w, pid_w, *namespaces.values()):
        os.close(fd)
    with open(error_r, "rb") as pipe:
        error = pipe.read()
    with open(pid_r, "rb") as pipe:
        inner = int(pipe.read() or b"0")
    if error:
        os.waitpid(helper, 0)
        if is_ending(process):
            # Whatever failed first on the way in: no such process, no memory for a process in a namespace that ends.
            raise ended_before()
        raise EffectFailed(error.decode(errors="replace"))
    return helper, inner


def _give_pipes(streams: Iterable[int], root_id: int) -> None:
    """Let root inside open them once more, by /dev/stdout and the like."""
    for fd in streams:
        if stat.S_ISFIFO(os.fstat(fd).st_mode):
            os.fchown(fd, root_id, root_id)


def _open_namespaces(process: ProcessId) -> tuple[dict[str, int], int]:
    """Descriptors of all namespaces of `process` by name, and the host's id of its root. Raises Conflict without it."""
    opened: dict[str, int] = {}
    # Before that its namespaces, or some of them, are the host's.
    if not process.wait_executed():
        raise Conflict("the container ended before the command could start", "start it with state=started")
    try:
        root_id = userns.root_id(process.pid)
        for name in (*_NAMESPACES, *_LAST):
            opened[name] = os.open(f"/proc/{process.pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        # Looked at after opening: had the pid passed to another process meanwhile, these would be that one's.
        if process.alive():
            return opened, root_id
    except (FileNotFoundError, ProcessLookupError):
        pass
    for fd in opened.values():
        os.close(fd)
    raise ended_before()


def is_ending(process: ProcessId) -> bool:
    """Whether it has ended, or does just now: a process lets go of its root before it counts as dead (do_exit(),
    kernel/exit.c).
    """
    return not (process.alive() and os.path.exists(f"/proc/{process.pid}/root"))


def ended_before() -> Conflict:
    """What to tell who wanted to run a command in a container that has ended meanwhile."""
    return Conflict("the container ended before the command could start", "start it with state=started")


def _command(command: Command, arrange: Callable[[], tuple[int, ...]], limits: Limits, error_fd: int) -> None:
    try:
        os.setsid()
        for number, fd in enumerate(arrange()):
            os.dup2(fd, number)
        become_and_exec(
            command.argv,
            user=command.user,
            env=command.env,
            working_dir=command.working_dir,
            confinement=command.confinement,
            limits=limits,
        )
    except BaseException as error:
        os.write(error_fd, report(error))
    finally:
        os._exit(127)


def _end_as(child: int) -> None:
    """Wait for `child` and end as it did, by the same status or signal."""
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _pump(
    helper: int, stdin_fd: int, stdout_fd: int, stderr_fd: int, stdin: bytes, timeout: float | None
) -> tuple[bool, bytes, bytes]:
    """Feed `stdin` and collect output until the helper has ended; whether the time ran out before that.

    What a process in the background keeps open is not waited for, as with ansible.builtin.command.
    """
    output: dict[int, list[bytes]] = {stdout_fd: [], stderr_fd: []}
    deadline = None if timeout is None else time.monotonic() + timeout
    view = memoryview(stdin)
    for fd in (stdin_fd, stdout_fd, stderr_fd):
        os.set_blocking(fd, False)
    timed_out = ended = False
    with selectors.DefaultSelector() as selector:
        selector.register(helper, selectors.EVENT_READ)
        for fd in output:
            selector.register(fd, selectors.EVENT_READ)
        if view:
            selector.register(stdin_fd, selectors.EVENT_WRITE)
        else:
            os.close(stdin_fd)
        while not ended and not timed_out:
            left = None if deadline is None else deadline - time.monotonic()
            events = selector.select(None if left is None else max(0.0, left))
            timed_out = left is not None and left <= 0 and not events
            for key, _ in events:
                if key.fd == helper:
                    ended = True
                elif key.fd == stdin_fd:
                    view = _feed(selector, stdin_fd, view)
                elif not _take(key.fd, output[key.fd]):
                    selector.unregister(key.fd)
        if stdin_fd in selector.get_map():
            os.close(stdin_fd)
    for fd, chunks in output.items():
        while _take(fd, chunks):
            pass
        os.close(fd)
    return timed_out, b"".join(output[stdout_fd]), b"".join(output[stderr_fd])


def _take(fd: int, chunks: list[bytes]) -> bool:
    """Read what is there; whether there may be more."""
    try:
        data = os.read(fd, 1 << 16)
    except BlockingIOError:
        return False
    chunks.append(data)
    return bool(data)


def _feed(selector: selectors.BaseSelector, fd: int, view: memoryview) -> memoryview:
    try:
        view = view[os.write(fd, view) :]
    except BrokenPipeError:
        view = view[len(view) :]
    if not view:
        selector.unregister(fd)
        os.close(fd)
    return view
