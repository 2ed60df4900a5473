# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task waits for after a start, with no lock held: its command's end, its boot, its readiness."""

from __future__ import annotations

import math
import os
import time
from typing import NamedTuple

from .._engine.container_records import process_in, read_run_state
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, EffectFailed
from .._kernel.terminate import wait_ended
from . import store
from .cgroup_paths import cgroup_of
from .exec.bounded_output import Last
from .exec.enter import Command, ended_before
from .exec.privileges import Confinement
from .exec.run_inside import run_inside
from .facts import container_facts, log_from
from .seccomp import filters as seccomp_filters

# Seconds in which an init that cannot boot has ended.
_BOOT = 1.0
# Bytes of the output of `wait` that are kept, for its message.
_SAID = 4096


class Ended(NamedTuple):
    """How a command that was run to its end has ended, and what it printed."""

    rc: int
    stdout: str


def run_to_end(settings: Settings, paths: ContainerPaths) -> Ended:
    """Wait until the first process has ended. Raises EffectFailed with `rc` where that is not 0, or unknown."""
    state = read_run_state(paths) or {}
    process = process_in(state)
    pidfd = process.open() if process else None
    if pidfd is not None:
        try:
            wait_ended(pidfd, math.inf)
        finally:
            os.close(pidfd)
    facts = container_facts(settings, paths.name)
    if facts is None:
        raise EffectFailed(f"container {paths.name} was removed while its command ran", container=None, rc=None)
    output = log_from(paths.log, state.get("log_begin", 0))
    if facts["exit_code"] != 0:
        last = output.strip()[-500:] or "it printed nothing"
        raise EffectFailed(
            f"{paths.name}: the command ended with exit status {facts['exit_code']}",
            last, container=facts, rc=facts["exit_code"], stdout=output,
        )  # fmt: skip
    return Ended(0, output)


def check_boots(settings: Settings, paths: ContainerPaths) -> None:
    """Raises EffectFailed where an init that was just started has ended within a second: it could not boot."""
    spec, process = store.read_spec(paths), process_in(read_run_state(paths))
    if spec is None or not spec.init:
        return
    pidfd = process.open() if process else None
    if pidfd is not None:
        try:
            if not wait_ended(pidfd, _BOOT):
                return
        finally:
            os.close(pidfd)
    facts = container_facts(settings, paths.name) or {}
    if facts.get("exit_code"):
        last = facts["log"].strip()[-500:] or "it printed nothing"
        raise EffectFailed(
            f"{paths.name}: init ended with exit status {facts['exit_code']} right after the start",
            last,
            container=facts,
        )


def wait_ready(settings: Settings, paths: ContainerPaths, argv: tuple[str, ...], timeout: float) -> None:
    """Run `argv` inside again and again until it exits 0. Raises EffectFailed after `timeout` seconds, or where the
    container ends before.
    """
    deadline = time.monotonic() + timeout
    pause, said = 0.05, ""
    while True:
        spec = store.read_spec(paths)
        process, _, running = store.observe_process(paths, spec)
        if not running or spec is None:
            facts = container_facts(settings, paths.name)
            raise EffectFailed(
                f"container {paths.name} ended while it was waited for", "see container.log", container=facts
            )
        left = deadline - time.monotonic()
        try:
            if process is None:
                # Its supervisor could not start it again, and will try once more.
                raise ended_before()
            seccomp = seccomp_filters.filter_at((read_run_state(paths) or {}).get("seccomp", ""), spec)
            command = Command(argv, spec.user, spec.env, spec.working_dir, Confinement.of(spec, seccomp))
            until = time.monotonic() + max(left, 0.1)
            outcome = run_inside(process, cgroup_of(paths.name), command, b"", until, lambda: Last(_SAID))
            if outcome.rc == 0:
                return
            said = (outcome.stderr or outcome.stdout).decode(errors="replace").strip()[-500:]
        except ConductorError as error:
            # Between two lives of a container that restarts, or before its program is there.
            said = str(error)
        if time.monotonic() + pause > deadline:
            facts = container_facts(settings, paths.name)
            raise EffectFailed(
                f"container {paths.name} was not ready after {timeout:g} s: {' '.join(argv)} did not exit 0",
                said or "it printed nothing",
                container=facts,
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
