# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits after a start, without a lock: for the command to exit, for init to boot, for the command of `wait`."""

from __future__ import annotations

import math
import os
import time
from typing import NamedTuple

from .._engine.container_records import process_in, read_run_state
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, EffectFailed
from .._kernel.terminate import wait_for_exit
from . import store
from .exec.bounded_output import Tail
from .exec.run_inside import run_inside
from .exec.running import running_container
from .facts import container_facts, read_log_from

# Seconds within which an init that cannot boot has exited, and a command that cannot work.
_BOOT = 1.0
# Bytes of the output of `wait` that are kept for the error message.
_MAX_OUTPUT = 4096


class ExitedCommand(NamedTuple):
    """Exit status and output of a command that has exited."""

    rc: int
    stdout: str


def run_until_exit(settings: Settings, paths: ContainerPaths) -> ExitedCommand:
    """Wait until the first process has exited. Raises EffectFailed with `rc` if it is not 0 or not known."""
    state = read_run_state(paths) or {}
    process = process_in(state)
    pidfd = process.open() if process else None
    if pidfd is not None:
        try:
            wait_for_exit(pidfd, math.inf)
        finally:
            os.close(pidfd)
    facts = container_facts(settings, paths.name)
    if facts is None:
        raise EffectFailed(f"container {paths.name} was removed while its command ran", container=None, rc=None)
    output = read_log_from(paths.log, state.get("log_begin", 0))
    if facts["exit_code"] != 0:
        raise EffectFailed(
            f"{paths.name}: the command exited with status {facts['exit_code']}",
            _see(output), container=facts, rc=facts["exit_code"], stdout=output,
        )  # fmt: skip
    return ExitedCommand(0, output)


def check_init_boots(settings: Settings, paths: ContainerPaths) -> None:
    """Check that an init that was just started does not exit within a second. Raises EffectFailed if it does."""
    spec = store.read_spec(paths)
    if spec is None or not spec.init or _keeps_running(paths):
        return
    facts = container_facts(settings, paths.name) or {}
    if facts.get("exit_code"):
        raise EffectFailed(
            f"{paths.name}: init exited with status {facts['exit_code']} right after the start",
            _see(facts["log"]),
            container=facts,
        )


def check_keeps_running(settings: Settings, paths: ContainerPaths) -> None:
    """Check that the command of a container does not exit within a second. Raises EffectFailed if it does."""
    if _keeps_running(paths):
        return
    facts = container_facts(settings, paths.name) or {}
    raise EffectFailed(
        f"{paths.name}: the command exited right after the start", _see(facts.get("log", "")), container=facts or None
    )


def _keeps_running(paths: ContainerPaths) -> bool:
    """Return whether the first process still runs after a second."""
    process = process_in(read_run_state(paths))
    pidfd = process.open() if process else None
    if pidfd is None:
        return False
    try:
        return not wait_for_exit(pidfd, _BOOT)
    finally:
        os.close(pidfd)


def wait_until_ready(settings: Settings, paths: ContainerPaths, argv: tuple[str, ...], timeout: float) -> None:
    """Run `argv` inside repeatedly until it exits with 0.

    Raises EffectFailed after `timeout` seconds, or if the container stops before.
    """
    deadline = time.monotonic() + timeout
    pause, output = 0.05, ""
    while True:
        spec = store.read_spec(paths)
        _, running = store.observe_process(paths)
        if not running or spec is None:
            facts = container_facts(settings, paths.name)
            raise EffectFailed(
                f"container {paths.name} stopped before it was ready", "see container.log", container=facts
            )
        left = deadline - time.monotonic()
        try:
            container = running_container(paths)
            until = time.monotonic() + max(left, 0.1)
            outcome = run_inside(
                container.process, container.cgroup, container.command(argv), b"", until, lambda: Tail(_MAX_OUTPUT)
            )
            if outcome.rc == 0:
                return
            output = (outcome.stderr or outcome.stdout).decode(errors="replace")
        except ConductorError as error:
            # The container is being restarted, or waits for that; or the program of `wait` does not exist yet.
            output = str(error)
        if time.monotonic() + pause > deadline:
            facts = container_facts(settings, paths.name)
            raise EffectFailed(
                f"container {paths.name} was not ready after {timeout:g} s: {' '.join(argv)} did not exit with 0",
                _see(output),
                container=facts,
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)


def _see(output: str) -> str:
    """A hint with the end of a command's output."""
    return f"see its output: {output.strip()[-500:] or '(empty)'}"
