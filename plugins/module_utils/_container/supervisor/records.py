# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that the supervisor reads and writes. It cannot report an error, so a damaged file is like a missing one.

Modules read the same files with the same types of values, and name a damaged one.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping

from ..._engine.container_records import EXIT_KINDS, RUN_STATE_KINDS
from ..._engine.json_files import forget, read_json, write_json
from ..._engine.paths import RUN_DIR, ContainerPaths
from ..._engine.typed_values import WANTED, Kind, integer, number, text
from ..._errors import Damaged
from ..._kernel.path_text import resolve
from .policy import count

# Values of container.json that the supervisor needs.
_SPEC_KINDS = {
    "wanted": WANTED,
    "restart_policy": text,
    "restart_retries": integer(0),
    "stop_signal": integer(1, 64),
    "stop_timeout": number(0, 1 << 40),
}
_STATES = os.path.join(RUN_DIR, "containers")
_SUFFIX = ".json"


def running_names() -> list[str]:
    """Return the names of all containers that have a run state."""
    try:
        entries = os.listdir(_STATES)
    except FileNotFoundError:
        return []
    # Build containers begin with a dot, too; temporary files end differently.
    return sorted(entry[: -len(_SUFFIX)] for entry in entries if entry.endswith(_SUFFIX))


def read_record(path: str, kinds: Mapping[str, Kind]) -> dict | None:
    """Return the object in the file `path`, whose values are of their `kinds`; None if it is missing or damaged."""
    try:
        return read_json(path, kinds)
    except Damaged:
        return None
    finally:
        forget(path)


def write_record(path: str, value: dict) -> None:
    """Write a JSON object atomically. Errors are ignored: a full disk, or a container that was removed meanwhile."""
    with contextlib.suppress(OSError):
        write_json(path, value)
    forget(path)


def read_process(name: str) -> tuple[ContainerPaths, dict] | None:
    """Return paths and run state of container `name`; None without a process in its run state."""
    state = read_record(os.path.join(_STATES, name + _SUFFIX), RUN_STATE_KINDS)
    if state is None or not {"pid", "start_time", "container_dir"} <= state.keys():
        return None
    container_dir = state["container_dir"]
    # An older release may have recorded a path with symlinks.
    return (ContainerPaths.of(resolve(container_dir), name), state) if container_dir.startswith("/") else None


def read_exit(paths: ContainerPaths) -> dict | None:
    """Return the exit record of a container, or None."""
    return read_record(paths.exit, EXIT_KINDS)


def read_spec(paths: ContainerPaths) -> dict:
    """Return the content of a container's container.json, {} without one: it is not restarted, and stopped at once."""
    return read_record(paths.spec, _SPEC_KINDS) or {}


def is_of_run(record: dict | None, state: dict) -> bool:
    """Return whether the exit record is that of the run in `state`."""
    return record is not None and all(record.get(key) == state[key] for key in ("pid", "start_time"))


def status_in(record: dict) -> int | None:
    """Return the exit status of an exit record, negative for a signal, None if it is unknown."""
    signum, code = record.get("signal"), record.get("exit_code")
    return code if signum is None else -signum


def was_oom_killed(state: dict) -> bool:
    """Return whether the OOM killer has killed a process of the container since its start."""
    return oom_kills(state.get("oom_file", "")) > count(state, "oom_kills")


def oom_kills(path: str) -> int:
    """Return the number of processes of a cgroup that the OOM killer has killed, from the file at `path`.

    The file is memory.events in version 2, memory.oom_control in version 1.
    """
    try:
        with open(path, "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(b"oom_kill ")), 0)
    except (OSError, ValueError):
        return 0


def append_log_line(path: str, text: str) -> None:
    """Append a line to a container's log. Errors are ignored."""
    # OSError: for instance a full disk; a supervisor has no other place to report it.
    with contextlib.suppress(OSError):
        # A process inside may hold a lease on the log: O_NONBLOCK makes this fail at once (fcntl(2)).
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"conductor: {time.strftime('%FT%TZ', time.gmtime())} {text}\n")
