# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command in a container to its end, or leave it running there. See enter.py for how it enters."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from ..._errors import EffectFailed
from ..._kernel.cgroup import Cgroup
from ..._kernel.processes import ProcessId
from ..._kernel.stream_pump import Flow, drain, relay
from ..._kernel.terminate import send_signal, wait_for_exit
from ..console_log import open_log
from .bounded_output import BoundedOutput, Head
from .enter import Command, pipes, spawn
from .kill_descendants import kill_descendants

# Default number of bytes of each output stream that are kept.
OUTPUT_LIMIT = 16 << 20
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

    Does not wait for background processes that keep a stream open, like ansible.builtin.command. `keep` returns a new
    buffer for an output stream. Raises Conflict if the container has stopped, EffectFailed if the command cannot be
    executed.
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
    for fd in (in_w, out_r, err_r):
        os.set_blocking(fd, False)
    stdout, stderr = keep(), keep()
    inward = Flow(stdin, in_w, closes_sink=True)
    outward = [Flow(out_r, stdout.add, closes_source=True), Flow(err_r, stderr.add, closes_source=True)]
    try:
        rc = _relay_to_end(helper, inner, cgroup, [inward, *outward], math.inf if deadline is None else deadline)
    finally:
        inward.end()
        for flow in outward:
            drain(flow)
    return Outcome(rc, stdout.content, stderr.content, stdout.truncated, stderr.truncated)


def _relay_to_end(helper: int, inner: int, cgroup: Cgroup, flows: list[Flow], deadline: float) -> int | None:
    """Return the exit status of the command, None if it was killed at `deadline`. An error kills it, too."""
    pidfd = os.pidfd_open(helper)
    has_ended = False
    try:
        has_ended = relay(pidfd, flows, deadline=deadline)
    finally:
        try:
            if not has_ended:
                kill_descendants(inner, cgroup)
        finally:
            # A helper that is left behind would hold the caller's streams open, and the caller's client would wait.
            if not has_ended and not wait_for_exit(pidfd, _KILL_TIMEOUT):
                send_signal(pidfd, signal.SIGKILL)
            _, status = os.waitpid(helper, 0)
            os.close(pidfd)
    # The helper ends by the signal that ended the command, which makes the status negative.
    return os.waitstatus_to_exitcode(status) if has_ended else None


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
