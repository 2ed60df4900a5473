# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restart by policy: the supervisor starts the first process again, then executes its small program again."""

from __future__ import annotations

import os
import sys

from ..._engine.container_records import read_run_state, write_run_state
from ..._engine.paths import ContainerPaths
from ..._engine.settings import Settings
from ..._errors import ConductorError
from ..._kernel.processes import ProcessId
from ..._network.plan.stages import AttachNetwork
from ..._network.stages import carry_out, has_network
from ..seccomp.filters import filter_at
from ..start import create_network_namespace, launch, prepare
from ..store import read_spec
from .spawn import exec_supervisor
from .supervise import append_log_line, backoff


def restart(container_dir: str, name: str, flaps: int = 1) -> None:
    """Restart container `name`. An error is written to the container's log, and the supervisor tries again.

    `flaps`: restarts since the last good run, including this one.
    """
    paths = ContainerPaths.of(container_dir, name)
    state: dict = {}
    try:
        state = read_run_state(paths) or {}
        settings, spec = Settings.load({"container_dir": container_dir}), read_spec(paths)
        if spec is None:
            return
        create_network_namespace(paths)
        if has_network(settings, name):
            carry_out(settings, AttachNetwork(name, spec.hostname), lambda text: append_log_line(paths.log, text))
        prepared = prepare(settings, paths, spec, filter_at(state.get("seccomp", ""), spec))
        for warning in prepared.warnings:
            append_log_line(paths.log, warning)
        launch(paths, spec, prepared, state.get("restarts", 0) + 1, flaps)
    except Exception as error:
        text = str(error) if isinstance(error, (ConductorError, OSError)) else f"{type(error).__name__}: {error}"
        append_log_line(paths.log, f"restart failed: {text}; next try in {backoff(flaps):g} s if the policy allows it")
        own = ProcessId.of_self()
        # This process is the supervisor that the next module run finds, and that a stop ends.
        supervisor = {"pid": own.pid, "start_time": own.start_time}
        no_process = {"pid": 0, "start_time": 0}
        failed = {"supervisor": supervisor, "steady": state.get("restarts", 0) - flaps, "failed": True}
        write_run_state(paths, {**no_process, **state, **failed})
    exec_supervisor(paths, os.path.abspath(sys.argv[0]))
