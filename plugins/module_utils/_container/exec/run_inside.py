# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command in a container to its end, or leave it running there. See enter.py for how it enters."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..._errors import EffectFailed
from ..._kernel.cgroup import Cgroup
from ..._kernel.processes import ProcessId
from ..._kernel.terminate import send_signal, wait_for_exit
from ..console_log import open_log
from .bounded_output import BoundedOutput, Head
from .enter import Command, pipes, spawn
from .kill_descendants import kill_descendants

# Default number of bytes of each output stream that are kept.
OUTPUT_LIMIT = 16 << 20
# Bytes of one read, and of the largest pipe (pipe(7), pipe-max-size of an unprivileged user).
_READ_SIZE, _PIPE_SIZE = 1 << 16, 1 << 20
# Seconds to wait for the end of a killed command.
_KILL_TIMEOUT = 5.0


@dataclass(frozen=True)
class Outcome:
    """Exit status (`rc`: negative for a signal, None after a timeout) and the kept output of a command."""

    rc: int | None
    stdout: bytes
    stderr: bytes
    stdout_truncated: bool = False
    stderr_truncated: bool = False


def run_inside(
    process: ProcessId,
    cgroup: Cgroup,
    command: Command,
    stdin: bytes,
    deadline: float | None,
    keep: Callable[[], BoundedOutput] = lambda: Head(OUTPUT_LIMIT),
) -> Outcome:
    """Run `command` to its end, or until `deadline` (time.monotonic()), and then kill it with its descendants.

    `keep` returns a new buffer for an output stream. Raises Conflict if the container has stopped, EffectFailed if the
    command cannot be executed.
    """
    streams, (in_w, out_r, err_r) = pipes()
    try:
        helper, inner = spawn(process, cgroup, command, streams, wait=True, deadline=deadline)
    except BaseException as error:
        for fd in (in_w, out_r, err_r):
            os.close(fd)
        if isinstance(error, TimeoutError):
            return Outcome(None, b"", b"")
        raise
    finally:
        for fd in streams:
            os.close(fd)
    pidfd = os.pidfd_open(helper)
    stdout, stderr = keep(), keep()
    try:
        timed_out = _pump(pidfd, in_w, {out_r: stdout, err_r: stderr}, stdin, deadline)
        if timed_out:
            kill_descendants(inner, cgroup)
            if not wait_for_exit(pidfd, _KILL_TIMEOUT):
                send_signal(pidfd, signal.SIGKILL)
        _, status = os.waitpid(helper, 0)
    finally:
        os.close(pidfd)
    code = os.waitstatus_to_exitcode(status)
    # The helper ends by the signal that ended the command, which makes the code negative.
    rc = None if timed_out else code
    return Outcome(rc, stdout.content, stderr.content, stdout.truncated, stderr.truncated)


def start_inside(process: ProcessId, cgroup: Cgroup, command: Command, log: str) -> int:
    """Start `command`, with its output appended to the file `log`, leave it running, and return its pid on the host."""
    # An empty input. /dev/null would be the host's node, which root inside could change if it is root on the host.
    null, writer = os.pipe()
    os.close(writer)
    try:
        out = open_log(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    except OSError as error:
        os.close(null)
        raise EffectFailed(f"{log}: cannot be opened for the command's output ({error.strerror})") from None
    try:
        helper, inner = spawn(process, cgroup, command, (null, out, out), wait=False)
        os.waitpid(helper, 0)
    finally:
        os.close(null)
        os.close(out)
    return inner


def _pump(helper: int, stdin_fd: int, output: dict[int, BoundedOutput], stdin: bytes, deadline: float | None) -> bool:
    """Write `stdin` and collect `output` until the helper has ended; return whether the deadline came before that.

    Does not wait for background processes that keep a stream open, like ansible.builtin.command.
    """
    view = memoryview(stdin)
    for fd in (stdin_fd, *output):
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
            for key, _ in events:
                if key.fd == helper:
                    ended = True
                elif key.fd == stdin_fd:
                    view = _feed(selector, stdin_fd, view)
                elif not _read(key.fd, output[key.fd]):
                    selector.unregister(key.fd)
            # Checked in each round, since there may always be something to read.
            timed_out = not ended and left is not None and left <= 0
        if stdin_fd in selector.get_map():
            os.close(stdin_fd)
    for fd, kept in output.items():
        _drain(fd, kept)
    return timed_out


def _drain(fd: int, kept: BoundedOutput) -> None:
    """Read the present content of a pipe, with a limit: a background process may continue to fill it."""
    for _ in range(_PIPE_SIZE // _READ_SIZE):
        if not _read(fd, kept):
            break
    os.close(fd)


def _read(fd: int, kept: BoundedOutput) -> bool:
    """Read once without blocking; return whether there may be more."""
    try:
        data = os.read(fd, _READ_SIZE)
    except BlockingIOError:
        return False
    kept.add(data)
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
