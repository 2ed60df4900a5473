# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""container.json, exit.json and the run state of each container."""

from __future__ import annotations

import os
from dataclasses import asdict

from .._errors import Conflict, Damaged
from .._linux.ending import wait_ended
from .._linux.files import remove_tree, sync_directory
from .._linux.processes import ProcessId
from .._model.container import KINDS as CONTAINER_KINDS
from .._model.container import ContainerSpec
from .._model.ids import IdRange
from .._model.layout import BUILD_PREFIX, RUN_DIR, STAGING_PREFIX, ContainerPaths
from .._model.typed import flag, maybe, moment, number, object_with, text, whole
from .json_files import read_json, write_json

_STATES = os.path.join(RUN_DIR, "containers")
_STOP_IT = "stop the container with force: true"

# The greatest pid is 2^22 (proc(5), pid_max).
_PROCESS = {"pid": whole(0, 1 << 22), "start_time": whole(0)}
_RUN_STATE = {
    **_PROCESS,
    "supervisor": object_with(_PROCESS, _PROCESS),
    "started_at": moment,
    "began": number(0, 1 << 40),
    "restarts": whole(0),
    "steady": whole(-(1 << 40)),
    "failed": flag,
    "oom_file": text,
    "oom_kills": whole(0),
    "seccomp": text,
    "log_begin": whole(0),
    "container_dir": text,
}
_EXIT = {
    **_PROCESS,
    "exit_code": maybe(whole(0, 255)),
    "signal": maybe(whole(1, 64)),
    "oom_killed": flag,
    "finished_at": moment,
}


def container_names(container_dir: str) -> list[str]:
    """Names of all containers, complete or not."""
    try:
        entries = os.listdir(container_dir)
    except FileNotFoundError:
        return []
    return sorted(entry for entry in entries if not entry.startswith(STAGING_PREFIX))


def build_names(container_dir: str) -> list[str]:
    """Names of the containers in which commands of images run just now, or ran when their module was killed."""
    try:
        entries = os.listdir(container_dir)
    except FileNotFoundError:
        return []
    return sorted(entry for entry in entries if entry.startswith(BUILD_PREFIX))


def read_spec(paths: ContainerPaths) -> ContainerSpec | None:
    """The container's spec, or None where there is none. Raises Damaged."""
    value = read_json(paths.spec)
    if value is None:
        return None
    spec = ContainerSpec.from_json(value, paths.spec)
    # Its cgroup, links and lock have this name.
    if spec.name != paths.name:
        raise Damaged(f"{paths.spec} is damaged (its name is {spec.name!r})", "restore it, or remove the container")
    return spec


def read_kept(paths: ContainerPaths) -> dict | None:
    """What container.json has besides the options, or None: {id, hostname, image, wanted, userns, ids}. Raises Damaged.

    What a later release would keep there, too, stays unread.
    """
    return read_json(paths.spec, CONTAINER_KINDS)


def write_spec(paths: ContainerPaths, spec: ContainerSpec, *, running: bool | None = None) -> None:
    """Write the spec; `running` sets whether the supervisor may restart it, None keeps that as it is.

    The container's id stays for as long as the container: peers and leases are bound to it. Its ids stay, too.
    """
    old = read_kept(paths) or {}
    wanted = old.get("wanted", "stopped") if running is None else ("running" if running else "stopped")
    _write(paths, spec, old.get("id") or os.urandom(8).hex(), wanted, old.get("ids"))


def is_to_run(paths: ContainerPaths) -> bool:
    """Whether what is stored says that the container shall run. Raises Damaged."""
    return (read_kept(paths) or {}).get("wanted") == "running"


def write_spec_and_ids(paths: ContainerPaths, spec: ContainerSpec, ids: IdRange | None) -> None:
    """Write the spec of a container that does not run, and its range of ids, which `spec.userns` asks for."""
    old = read_kept(paths) or {}
    _write(paths, spec, old.get("id") or os.urandom(8).hex(), "stopped", ids and asdict(ids))


def _write(paths: ContainerPaths, spec: ContainerSpec, identity: str, wanted: str, ids: dict | None) -> None:
    write_json(paths.spec, {**spec.to_json(), "id": identity, "wanted": wanted, "ids": ids})


def create_directory(paths: ContainerPaths, spec: ContainerSpec, ids: IdRange | None) -> None:
    """Make the container's directory with its spec: whole, or not at all."""
    parent = os.path.dirname(paths.directory)
    os.makedirs(parent, mode=0o711, exist_ok=True)
    staging = os.path.join(parent, f"{STAGING_PREFIX}new-{paths.name}")
    remove_tree(staging)
    os.mkdir(staging, 0o700)
    # The rootfs's own mode is what `/` shows inside: _apt and others must be able to pass it.
    for name in ("upper", "work", "lower", "rootfs"):
        os.mkdir(os.path.join(staging, name))
        os.chmod(os.path.join(staging, name), 0o755)
    write_spec_and_ids(ContainerPaths(staging, paths.name), spec, ids)
    os.rename(staging, paths.directory)
    sync_directory(parent)


def remove_directory(paths: ContainerPaths) -> None:
    """Delete the container's directory: gone at once by a rename, then emptied."""
    parent = os.path.dirname(paths.directory)
    trash = os.path.join(parent, f"{STAGING_PREFIX}gone-{paths.name}")
    remove_tree(trash)
    if os.path.lexists(paths.directory):
        os.rename(paths.directory, trash)
        sync_directory(parent)
        remove_tree(trash)


def clear_staging(paths: ContainerPaths) -> None:
    """Delete what creating or removing this container left half-way, when it was killed."""
    parent = os.path.dirname(paths.directory)
    for kind in ("new", "gone"):
        remove_tree(os.path.join(parent, f"{STAGING_PREFIX}{kind}-{paths.name}"))


def has_staging(paths: ContainerPaths) -> bool:
    """Whether there is something for `clear_staging` to do."""
    parent = os.path.dirname(paths.directory)
    return any(
        os.path.lexists(os.path.join(parent, f"{STAGING_PREFIX}{kind}-{paths.name}")) for kind in ("new", "gone")
    )


def read_run_state(paths: ContainerPaths) -> dict | None:
    """{pid, start_time, supervisor, started_at, restarts, ...} of the last start, or None. Raises Damaged."""
    return read_json(paths.run_state, _RUN_STATE, remedy=_STOP_IT)


def read_exit(paths: ContainerPaths) -> dict | None:
    """{exit_code, signal, finished_at} of the last run that has ended, or None. Raises Damaged."""
    return read_json(paths.exit, _EXIT, remedy="remove it, or start the container")


def write_run_state(paths: ContainerPaths, state: dict) -> None:
    os.makedirs(_STATES, mode=0o700, exist_ok=True)
    write_json(paths.run_state, state)


def require_one_directory(container_dir: str) -> None:
    """Raises Conflict where containers of another directory run: pids, links and firewall know them by name only."""
    try:
        entries = sorted(entry for entry in os.listdir(_STATES) if not entry.startswith(STAGING_PREFIX))
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            state = read_json(os.path.join(_STATES, entry), _RUN_STATE, remedy=_STOP_IT) or {}
            other = state.get("container_dir", container_dir)
        except Damaged:
            # Told by whoever needs it.
            continue
        if other != container_dir:
            raise Conflict(
                f"container {entry.rpartition('.')[0]} of {other} runs on this host, so container_dir cannot be "
                f"{container_dir}",
                "a host has one at a time: stop those first",
            )
        # The others are of the same directory, by this very rule.
        return


def process_in(state: dict | None, key: str = "") -> ProcessId | None:
    """The process that a run state names: the first process, or with `key` "supervisor" its supervisor."""
    part = (state or {}).get(key) if key else state
    if not part:
        return None
    if "pid" not in part or "start_time" not in part:
        raise Damaged("the run state has no process in it", _STOP_IT)
    # 0: nobody, as after a restart of which nothing came.
    return ProcessId(part["pid"], part["start_time"]) if part["pid"] else None


def observe_process(
    paths: ContainerPaths, spec: ContainerSpec | None
) -> tuple[ProcessId | None, ProcessId | None, bool]:
    """First process, supervisor, and whether the container runs (a pause before a restart counts as running)."""
    state = read_run_state(paths)
    process, supervisor = process_in(state), process_in(state, "supervisor")
    if process is not None and process.alive():
        return process, supervisor, True
    pidfd = supervisor.open() if supervisor else None
    if pidfd is None:
        return process, supervisor, False
    try:
        # Just ended: give the supervisor the moment that it needs to write that down.
        restarts = spec is not None and spec.restart_policy != "no"
        return process, supervisor, not wait_ended(pidfd, 0.05 if restarts else 2.0)
    finally:
        os.close(pidfd)
