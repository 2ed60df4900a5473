# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a command in a container to its end, or leaving it there. The way in is spawn.py."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from dataclasses import dataclass

from .._linux.cgroups import Cgroup
from .._linux.processes import ProcessId
from .spawn import Command, pipes, spawn


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
    streams, (in_w, out_r, err_r) = pipes()
    try:
        helper, inner = spawn(process, cgroup, command, streams, wait=True)
    except BaseException:
        for fd in (in_w, out_r, err_r):
            os.close(fd)
        raise
    finally:
        for fd in streams:
            os.close(fd)
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
