# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules tell of a container; the same in conductor_container and conductor_container_info."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from .._errors import Damaged
from .._linux.processes import ProcessId
from .._model.layout import ContainerPaths
from .._store import containers as store
from .._store.json_files import read_json
from .._store.settings import Settings

_LOG_TAIL = 4096
_MOST_OUTPUT = 1 << 20


def container_facts(settings: Settings, name: str) -> dict | None:
    """State, process, addresses, exit status and the end of the log of `name`; None where there is none."""
    paths = ContainerPaths.of(settings.container_dir, name)
    spec = store.read_spec(paths)
    if spec is None:
        return None
    state = store.read_run_state(paths) or {}
    process, supervisor = store.process_in(state), store.process_in(state, "supervisor")
    running = process is not None and process.alive()
    if not running:
        # It writes down how it ended, and goes, unless it starts the container again.
        store.observe_process(paths, spec)
    ended, kept = _ended(paths, state), read_json(paths.spec) or {}
    return {
        **spec.to_json(),
        **{key: kept.get(key) for key in ("id", "ids")},
        "state": _state(running, supervisor, state, ended),
        "pid": process.pid if running and process else None,
        "started_at": _iso(state.get("started_at")),
        "finished_at": None if running else _iso(ended.get("finished_at")),
        "exit_code": None if running else ended.get("exit_code"),
        "oom_killed": None if running else bool(ended.get("oom_killed")),
        "restarts": state.get("restarts", 0),
        "addresses": _addresses(paths),
        "network_namespace": paths.netns if os.path.exists(paths.netns) else None,
        "directory": paths.directory,
        "rootfs": paths.rootfs,
        "log_path": paths.log,
        "log": log_tail(paths.log),
    }


def _state(running: bool, supervisor: ProcessId | None, state: dict, ended: dict) -> str:
    if running:
        return "running"
    if supervisor is not None and supervisor.alive():
        return "restarting"
    if state:
        return "exited"
    return "stopped" if ended else "created"


def _ended(paths: ContainerPaths, state: dict) -> dict:
    """How its last life ended: that of the run state, where there is one."""
    try:
        ended = read_json(paths.exit) or {}
    except Damaged:
        # How it ended once is lost; that must not hide how it is.
        return {}
    same = all(ended.get(key) in (None, state.get(key)) for key in ("pid", "start_time"))
    return ended if same or not state or state.get("failed") else {}


def _addresses(paths: ContainerPaths) -> list[str]:
    network = read_json(paths.network) or {}
    return [str(network[key]) for key in ("ipv4", "ipv6") if network.get(key)]


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def log_size(path: str) -> int:
    """Bytes of the log so far."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def log_from(path: str, begin: int) -> str:
    """What was written to the log from byte `begin` on, at most the last MiB of it, as text."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            # Begun anew by logrotate(8) meanwhile.
            start = begin if begin <= size else 0
            file.seek(max(start, size - _MOST_OUTPUT))
            return file.read(_MOST_OUTPUT).decode(errors="replace")
    except FileNotFoundError:
        return ""


def log_tail(path: str) -> str:
    """The last lines of the log, at most 4 KiB; characters that would act on a terminal are shown as escapes."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG_TAIL))
            text = file.read(_LOG_TAIL).decode(errors="replace")
    except FileNotFoundError:
        return ""
    if size > _LOG_TAIL:
        text = text.partition("\n")[2]
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
