# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restart by policy: the supervisor's process starts the first process again, then becomes the small one again."""

from __future__ import annotations

import os
import sys
import time

from .._errors import ConductorError
from .._model.layout import ContainerPaths
from .._store.containers import read_run_state, read_spec
from .._store.seccomp_filters import filter_at
from .._store.settings import Settings
from .log import open_log
from .start import launch, prepare
from .supervisor import exec_supervisor


def restart(container_dir: str, name: str) -> None:
    """Start container `name` once more; what hinders it goes to the container's log."""
    settings = Settings.load({"container_dir": container_dir})
    paths = ContainerPaths.of(container_dir, name)
    try:
        state, spec = read_run_state(paths) or {}, read_spec(paths)
        if spec is None:
            return
        prepared = prepare(settings, paths, spec, filter_at(state.get("seccomp", ""), spec))
        for warning in prepared.warnings:
            _tell(paths, warning)
        launch(paths, spec, prepared, state.get("restarts", 0) + 1)
    except (ConductorError, OSError) as error:
        _tell(paths, f"restart failed: {error}")
        return
    exec_supervisor(paths, os.path.abspath(sys.argv[0]))


def _tell(paths: ContainerPaths, text: str) -> None:
    with open(open_log(paths.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a", encoding="utf-8") as log:
        log.write(f"conductor: {time.strftime('%FT%TZ', time.gmtime())} {text}\n")
