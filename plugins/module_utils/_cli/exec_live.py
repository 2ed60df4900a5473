# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command in a container with the caller's terminal, or with the caller's streams as they come."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from .._container.exec.enter import Command, pipes, spawn
from .._container.exec.terminal import start_on_terminal
from .._container.exec.use_case import ExecCase, Observed
from .._engine.engine import Run
from .._engine.settings import Settings
from .._kernel.cgroup import Cgroup
from .._kernel.processes import ProcessId
from . import terminal
from .stream_pump import Flow, drain, relay

_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


class LiveExec(ExecCase):
    """conductor_exec's use case, but for what becomes of the command's streams, and of its exit status."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.on_terminal = os.isatty(0) and os.isatty(1)
        if self.on_terminal:
            # What it writes depends on the terminal that will show it.
            params = {**params, "env": {"TERM": os.environ.get("TERM", "dumb"), **(params["env"] or {})}}
        super().__init__(params, settings)

    def run(self, process: ProcessId, cgroup: Cgroup, command: Command) -> int:
        """Its exit status, as a shell has it."""
        run = _on_terminal if self.on_terminal else _on_streams
        return run(process, cgroup, command)

    def settle(self, run: Run[Observed]) -> None:
        """Whatever its status is, it has been run."""

    def result(self, observed: Observed, run: Run[Observed]) -> dict:
        return {"status": run.outcome.outcome}


def _on_terminal(process: ProcessId, cgroup: Cgroup, command: Command) -> int:
    helper, master = start_on_terminal(process, cgroup, command, terminal.size())
    os.set_blocking(master, False)
    flows = [Flow(0, master), Flow(master, 1)]
    ending = 0

    def hear(number: int) -> bool:
        nonlocal ending
        if number != signal.SIGWINCH:
            ending = number
            return False
        terminal.set_size(master, terminal.size())
        return True

    try:
        # In this order, so that no signal can end us while the terminal is raw.
        with _heard(*_ENDING, signal.SIGWINCH) as signals, terminal.raw():
            # It may have changed while nobody listened.
            terminal.set_size(master, terminal.size())
            # Without the caller's terminal, as where a connection was cut, it is over.
            ended = relay(helper, flows, signals, hear, until_dry=flows[0])
            if ended:
                drain(flows[1], signals)
    finally:
        # Where the command has not ended, this hangs up.
        os.close(master)
    return _status(helper) if ended else 128 + (ending or signal.SIGHUP)


def _on_streams(process: ProcessId, cgroup: Cgroup, command: Command) -> int:
    streams, (in_w, out_r, err_r) = pipes()
    try:
        helper, inner = spawn(process, cgroup, command, streams, wait=True)
    finally:
        for fd in streams:
            os.close(fd)
    for fd in (in_w, out_r, err_r):
        os.set_blocking(fd, False)
    inward = Flow(0, in_w, closes_sink=True)
    outward = [Flow(out_r, 1, closes_source=True), Flow(err_r, 2, closes_source=True)]

    def hear(number: int) -> bool:
        # As at a terminal, where all of a pipeline or script gets it. How it ends is up to the command.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(inner, number)
        return True

    with _heard(*_ENDING) as signals:
        relay(helper, [inward, *outward], signals, hear)
        inward.end()
        for flow in outward:
            drain(flow, signals)
    return _status(helper)


def _status(helper: int) -> int:
    code = os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1])
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _heard(*numbers: int) -> Iterator[int]:
    """For the block, a descriptor from which each signal of `numbers` that comes is read as a byte."""
    reader, writer = os.pipe()
    for fd in (reader, writer):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(writer)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield reader
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)
