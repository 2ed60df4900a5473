# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command in a container on the caller's terminal, or with the caller's streams passed through."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

from .._container.exec.enter import ENDING_SIGNALS, Command, pipes, spawn
from .._container.exec.pass_through import pass_through
from .._container.exec.terminal import start_on_terminal
from .._container.exec.use_case import ExecCase, Observed
from .._engine.engine import Run
from .._engine.settings import Settings
from .._kernel.cgroup import Cgroup
from .._kernel.processes import ProcessId
from .._kernel.stream_pump import Flow, Signals, drain, relay
from . import terminal


class LiveExec(ExecCase):
    """The use case of conductor_exec, with the streams passed through and the exit status as the result."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.on_terminal = os.isatty(0) and os.isatty(1)
        if self.on_terminal:
            # The command's output depends on the terminal that shows it.
            params = {**params, "env": {"TERM": os.environ.get("TERM", "dumb"), **(params["env"] or {})}}
        super().__init__(params, settings)

    def run(self, process: ProcessId, cgroup: Cgroup, command: Command) -> int:
        """Return the exit status, as a shell reports it."""
        run = _on_terminal if self.on_terminal else _on_streams
        return run(process, cgroup, command)

    def wait_for_completion(self, run: Run[Observed]) -> None:
        """Accept every exit status: the command has run."""

    def result(self, observed: Observed, run: Run[Observed]) -> dict:
        return {"status": run.outcome.outcome}


def _on_terminal(process: ProcessId, cgroup: Cgroup, command: Command) -> int:
    helper, master = start_on_terminal(process, cgroup, command, terminal.size())
    os.set_blocking(master, False)
    flows = [Flow(0, master), Flow(master, 1)]
    ending = 0

    def on_signal(number: int) -> bool:
        nonlocal ending
        if number != signal.SIGWINCH:
            ending = number
            return False
        terminal.set_size(master, terminal.size())
        return True

    try:
        # In this order, so that no signal can end this process while the terminal is in raw mode.
        with _received_signals(*ENDING_SIGNALS, signal.SIGWINCH) as signals, terminal.raw():
            # The size may have changed before the handler was installed.
            terminal.set_size(master, terminal.size())
            # End if the caller's terminal is gone, for instance after a lost connection.
            with _pidfd(helper) as child:
                ended = relay(child, flows, signals=Signals(signals, on_signal), until_dry=flows[0])
            if ended:
                drain(flows[1], signals)
    finally:
        # Sends SIGHUP to a command that is still running.
        os.close(master)
    return _status(helper) if ended else 128 + (ending or signal.SIGHUP)


def _on_streams(process: ProcessId, cgroup: Cgroup, command: Command) -> int:
    streams, ours = pipes()
    # Blocked until the command can get them: this process would end by a signal, and the command would go on.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        helper, inner = spawn(process, cgroup, command, streams, wait=True)
    except BaseException:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    finally:
        for fd in streams:
            os.close(fd)
    with _received_signals(*ENDING_SIGNALS) as signals:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with _pidfd(helper) as child:
            pass_through(child, inner, ours, (0, 1, 2), signals)
    return _status(helper)


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    fd = os.pidfd_open(pid)
    try:
        yield fd
    finally:
        os.close(fd)


def _status(helper: int) -> int:
    code = os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1])
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _received_signals(*numbers: int) -> Iterator[int]:
    """Yield a descriptor from which each received signal of `numbers` is read as one byte."""
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
