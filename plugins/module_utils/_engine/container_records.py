# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of containers that images and networks also read: names, ids, base images, and run states."""

from __future__ import annotations

import os
from typing import Any

from .._errors import Conflict, Damaged
from .._kernel.path_text import resolve
from .._kernel.processes import ProcessId
from .id_range import RANGE_KIND, userns_kind
from .json_files import read_json, write_json
from .paths import BUILD_PREFIX, RUN_DIR, STAGING_PREFIX, ContainerPaths
from .typed_values import WANTED, boolean, integer, nullable, number, text, timestamp

_STATES = os.path.join(RUN_DIR, "containers")

# The greatest pid is 2^22 (proc(5), pid_max).
_PROCESS = {"pid": integer(0, 1 << 22), "start_time": integer(0)}
RUN_STATE_KINDS = {
    **_PROCESS,
    "started_at": timestamp,
    "began": number(0, 1 << 40),
    "restarts": integer(0),
    "steady": integer(-(1 << 40)),
    "oom_file": text,
    "oom_kills": integer(0),
    "seccomp": text,
    "log_begin": integer(0),
    "container_dir": text,
}
EXIT_KINDS = {
    **_PROCESS,
    "exit_code": nullable(integer(0, 255)),
    "signal": nullable(integer(1, 64)),
    "oom_killed": boolean,
    "finished_at": timestamp,
}
_KEPT = {
    "id": text,
    "hostname": text,
    "image": text,
    "wanted": WANTED,
    "userns": userns_kind,
    "ids": nullable(RANGE_KIND),
}


def container_names(container_dir: str) -> list[str]:
    """Return the names of all containers, complete or not."""
    try:
        entries = os.listdir(container_dir)
    except FileNotFoundError:
        return []
    return sorted(entry for entry in entries if not entry.startswith(STAGING_PREFIX))


def build_names(container_dir: str) -> list[str]:
    """Return the names of build containers that run commands of images, or are left of a module that was killed."""
    try:
        entries = os.listdir(container_dir)
    except FileNotFoundError:
        return []
    return sorted(entry for entry in entries if entry.startswith(BUILD_PREFIX))


def read_common_spec(paths: ContainerPaths) -> dict[str, Any] | None:
    """Return {id, hostname, image, wanted, userns, ids} of container.json, or None. Raises Damaged.

    All modules need these values. Only _container/store.py reads the rest.
    """
    return read_json(paths.spec, _KEPT)


def read_run_state(paths: ContainerPaths) -> dict[str, Any] | None:
    """Return {pid, start_time, started_at, restarts, ...} of the last start, or None. Raises Damaged."""
    remedy = f"remove {paths.name} with state=absent and force=true"
    return read_json(paths.run_state, RUN_STATE_KINDS, remedy=remedy)


def write_run_state(paths: ContainerPaths, state: dict[str, Any]) -> None:
    os.makedirs(_STATES, mode=0o700, exist_ok=True)
    write_json(paths.run_state, state)


def require_one_container_dir(container_dir: str) -> None:
    """Raise Conflict if containers of another directory run: run states, links and firewall use only their names."""
    try:
        entries = sorted(entry for entry in os.listdir(_STATES) if not entry.startswith(STAGING_PREFIX))
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            state = read_json(os.path.join(_STATES, entry), RUN_STATE_KINDS) or {}
            # An older release may have recorded a path with symlinks.
            other = resolve(state.get("container_dir", container_dir))
        except Damaged:
            # A use case that needs this state reports the damage.
            continue
        if other != container_dir:
            raise Conflict(
                f"container_dir cannot be {container_dir}: container {entry.rpartition('.')[0]} of {other} is running",
                f"stop the containers of {other} first: a host uses one container_dir at a time",
            )
        # All running containers are in the same directory, as this function requires.
        return


def process_in(state: dict[str, Any] | None) -> ProcessId | None:
    """Return the first process of a run state. Raises Damaged."""
    if not state:
        return None
    if "pid" not in state or "start_time" not in state:
        raise Damaged("the run state contains no process", "remove the container with state=absent and force=true")
    return ProcessId(state["pid"], state["start_time"]) if state["pid"] else None
