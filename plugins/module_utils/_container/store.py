# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a container: container.json, exit.json and its directory; and its processes according to the run state."""

from __future__ import annotations

import os
from dataclasses import asdict, replace

from .._engine.container_records import EXIT_KINDS, process_in, read_common_spec, read_run_state
from .._engine.id_range import IdRange
from .._engine.json_files import read_json, write_json
from .._engine.paths import STAGING_PREFIX, ContainerPaths
from .._errors import Damaged
from .._kernel.files.atomic_write import remove_tree, sync_directory
from .._kernel.processes import ProcessId
from .spec.container import ContainerSpec
from .supervisor.requests import state_of

# In container.json while a container is renamed: the name of its directory from then on.
_RENAMED_TO = "renamed_to"


def read_spec(paths: ContainerPaths) -> ContainerSpec | None:
    """The container's spec; None if the container does not exist. Raises Damaged."""
    value = read_json(paths.spec)
    if value is None:
        return None
    spec = ContainerSpec.from_json(value, paths.spec)
    if value.get(_RENAMED_TO) == paths.name:
        spec = replace(spec, name=paths.name)
    # The container's cgroup, links and lock are named after the directory.
    if spec.name != paths.name:
        raise Damaged(
            f"{paths.spec} is damaged (its name is {spec.name!r})",
            f"restore it, or remove {paths.name} with state=absent and force=true",
        )
    return spec


def write_spec(paths: ContainerPaths, spec: ContainerSpec, *, running: bool | None = None) -> None:
    """Write the spec. `running` sets whether the supervisor may restart the container; None does not change that.

    The container keeps its id, to which peers and leases are bound, and its id range.
    """
    old = read_common_spec(paths) or {}
    wanted = old.get("wanted", "stopped") if running is None else ("running" if running else "stopped")
    _write(paths, spec, old.get("id") or os.urandom(8).hex(), wanted, old.get("ids"))


def keep_for_boot(paths: ContainerPaths, spec: ContainerSpec) -> None:
    """Write the spec so that the supervisor restarts the container no more, but the next boot starts it."""
    old = read_common_spec(paths) or {}
    wanted = "at-boot" if is_wanted(paths) else "stopped"
    _write(paths, spec, old.get("id") or os.urandom(8).hex(), wanted, old.get("ids"))


def should_run(paths: ContainerPaths) -> bool:
    """Whether container.json says that the container should run now. Raises Damaged."""
    return (read_common_spec(paths) or {}).get("wanted") == "running"


def is_wanted(paths: ContainerPaths) -> bool:
    """Whether the container should run now, or after the next boot of the host. Raises Damaged."""
    return (read_common_spec(paths) or {}).get("wanted") in ("running", "at-boot")


def write_spec_and_ids(paths: ContainerPaths, spec: ContainerSpec, ids: IdRange | None) -> None:
    """Write the spec and the id range (for `spec.userns`) of a container that does not run."""
    old = read_common_spec(paths) or {}
    _write(paths, spec, old.get("id") or os.urandom(8).hex(), "stopped", None if ids is None else asdict(ids))


def _write(paths: ContainerPaths, spec: ContainerSpec, identity: str, wanted: str, ids: dict | None) -> None:
    write_json(paths.spec, {**spec.to_json(), "id": identity, "wanted": wanted, "ids": ids})


def create_directory(paths: ContainerPaths, spec: ContainerSpec, ids: IdRange | None) -> None:
    """Create the container's directory with its spec, atomically."""
    parent = os.path.dirname(paths.directory)
    os.makedirs(parent, mode=0o711, exist_ok=True)
    staging = os.path.join(parent, f"{STAGING_PREFIX}new-{paths.name}")
    remove_tree(staging)
    os.mkdir(staging, 0o700)
    # This becomes the mode of / inside, which _apt and other users must be able to traverse.
    for name in ("upper", "work", "lower", "rootfs"):
        os.mkdir(os.path.join(staging, name))
        os.chmod(os.path.join(staging, name), 0o755)
    write_spec_and_ids(ContainerPaths(staging, paths.name), spec, ids)
    os.rename(staging, paths.directory)
    sync_directory(parent)


def remove_directory(paths: ContainerPaths) -> None:
    """Delete the container's directory: rename it first, so that the container disappears atomically."""
    parent = os.path.dirname(paths.directory)
    trash = os.path.join(parent, f"{STAGING_PREFIX}gone-{paths.name}")
    remove_tree(trash)
    if os.path.lexists(paths.directory):
        os.rename(paths.directory, trash)
        sync_directory(parent)
        remove_tree(trash)


def rename_directory(old: ContainerPaths, new: ContainerPaths, spec: ContainerSpec) -> None:
    """Rename the directory of a container that does not run, atomically. `spec` has the new name.

    container.json still has the old one, so that a killed run can be finished, until the next `write_spec`.
    """
    kept = read_common_spec(old) or {}
    values = {name: kept.get(name) for name in ("id", "wanted", "ids")}
    write_json(old.spec, {**spec.to_json(), **values, "name": old.name, _RENAMED_TO: new.name})
    os.rename(old.directory, new.directory)
    sync_directory(os.path.dirname(new.directory))


def former_name(paths: ContainerPaths) -> str | None:
    """The name that the container had, if a run that renamed it was killed; None if it has been finished."""
    value = read_json(paths.spec)
    return value.get("name") if value and value.get(_RENAMED_TO) == paths.name else None


def clear_staging(paths: ContainerPaths) -> None:
    """Delete directories of an interrupted creation or removal of this container."""
    parent = os.path.dirname(paths.directory)
    for kind in ("new", "gone"):
        remove_tree(os.path.join(parent, f"{STAGING_PREFIX}{kind}-{paths.name}"))


def has_staging(paths: ContainerPaths) -> bool:
    """Whether `clear_staging` has directories to delete."""
    parent = os.path.dirname(paths.directory)
    return any(
        os.path.lexists(os.path.join(parent, f"{STAGING_PREFIX}{kind}-{paths.name}")) for kind in ("new", "gone")
    )


def read_exit(paths: ContainerPaths) -> dict | None:
    """The exit record of the last run that has ended (fields: EXIT_KINDS), or None. Raises Damaged."""
    return read_json(paths.exit, EXIT_KINDS, remedy="remove it, or start the container")


def observe_process(paths: ContainerPaths) -> tuple[ProcessId | None, bool]:
    """First process, and whether the container runs (waiting for a restart counts as running).

    If the first process has ended, its exit record has been written.
    """
    process = process_in(read_run_state(paths))
    if process is not None and not process.is_alive():
        supervised = state_of(paths.name)
        if supervised == "running":
            # Restarted meanwhile.
            process = process_in(read_run_state(paths))
        return process, bool(supervised)
    return process, process is not None


def observe_supervision(paths: ContainerPaths) -> tuple[bool, bool]:
    """Whether the container runs, and whether the supervisor will see its end, which is so if it does not run."""
    while True:
        process, running = observe_process(paths)
        if not running or state_of(paths.name):
            return running, True
        if process is not None and process.is_alive():
            return True, False
