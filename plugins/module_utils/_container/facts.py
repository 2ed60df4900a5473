# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about a container, as conductor_container and conductor_container_info return them."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from .._engine.container_records import process_in, read_common_spec, read_run_state
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import Damaged, printable
from .._network.store import read_network
from . import store
from .console_log import open_log
from .supervisor.requests import state_of

_LOG_TAIL = 4096
_MOST_OUTPUT = 1 << 20


def container_facts(settings: Settings, name: str) -> dict | None:
    """State, process, addresses, exit status and end of the log of container `name`; None if it does not exist."""
    paths = ContainerPaths.of(settings.container_dir, name)
    spec = store.read_spec(paths)
    if spec is None:
        return None
    state = read_run_state(paths) or {}
    process = process_in(state)
    running = process is not None and process.is_alive()
    kept = read_common_spec(paths) or {}
    # Has the supervisor write the exit status if it has not done so yet.
    restarting = not running and bool(state) and state_of(name) == "restarting"
    ended, damage = _ended(paths, state)
    addresses, more = _addresses(settings, name)
    damage += more
    log, more = _log(paths)
    damage += more
    return {
        **spec.by_option(),
        **{key: kept.get(key) for key in ("id", "ids")},
        "state": _state(running, restarting, state, ended),
        "pid": process.pid if running and process else None,
        "started_at": _iso(state.get("started_at")),
        "finished_at": None if running else _iso(ended.get("finished_at")),
        "exit_code": None if running else ended.get("exit_code"),
        "oom_killed": None if running else bool(ended.get("oom_killed")),
        "restarts": state.get("restarts", 0),
        "addresses": addresses,
        "network_namespace": paths.netns if os.path.exists(paths.netns) else None,
        "directory": paths.directory,
        "rootfs": paths.rootfs,
        "log_path": paths.log,
        "log": log,
        # One unreadable file must not hide the other facts.
        **({"error": "; ".join(damage)} if damage else {}),
    }


def _state(running: bool, restarting: bool, state: dict, ended: dict) -> str:
    if running or restarting:
        return "running" if running else "restarting"
    if state:
        return "exited"
    return "stopped" if ended else "created"


def _ended(paths: ContainerPaths, state: dict) -> tuple[dict, list[str]]:
    """The exit record of the last run (of the run in `state`, if any), and errors of reading it."""
    try:
        ended = store.read_exit(paths) or {}
    except Damaged as error:
        return {}, [str(error)]
    same = all(ended.get(key) in (None, state.get(key)) for key in ("pid", "start_time"))
    return (ended if same or not state else {}), []


def _addresses(settings: Settings, name: str) -> tuple[list[str], list[str]]:
    network = read_network(settings.container_dir, name)
    if network is None or network.spec is None:
        return [], [network.damage] if network is not None and network.damage else []
    return [address for address in (network.spec.ipv4, network.spec.ipv6) if address], []


def _log(paths: ContainerPaths) -> tuple[str, list[str]]:
    try:
        return read_log_tail(paths.log), []
    except OSError as error:
        return "", [f"{paths.log} cannot be read ({error.strerror})"]


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def read_log_from(path: str, begin: int) -> str:
    """Text that was written to the log from byte `begin` on, at most its last MiB."""
    try:
        with open(open_log(path), "rb") as file:
            size = file.seek(0, os.SEEK_END)
            # logrotate(8) may have truncated it meanwhile.
            start = begin if begin <= size else 0
            file.seek(max(start, size - _MOST_OUTPUT))
            return file.read(_MOST_OUTPUT).decode(errors="replace")
    except (FileNotFoundError, BlockingIOError):
        return ""


def read_log_tail(path: str) -> str:
    """The last lines of the log, at most 4 KiB; control characters for terminals are escaped.

    Raises OSError, for instance if a process inside holds a lease on the log.
    """
    try:
        fd = open_log(path)
    except FileNotFoundError:
        return ""
    with open(fd, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LOG_TAIL))
        text = file.read(_LOG_TAIL).decode(errors="replace")
    if size > _LOG_TAIL:
        text = text.partition("\n")[2]
    return printable(text, keep="\n\t")
