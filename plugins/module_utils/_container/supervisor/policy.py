# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions of the supervisor: whether a container is restarted, after which pause, and the record of its exit."""

from __future__ import annotations

# Seconds before the first restart, and at most.
_BACKOFF_FIRST, _BACKOFF_MAX = 0.1, 60.0
# Seconds after which a run counts as good: pauses and retries begin anew, as in docker.
_GOOD_RUN = 10.0


def should_restart(spec: dict, code: int | None, flaps: int) -> bool:
    """Return whether the restart policy in `spec` restarts the container after an exit with `code`.

    `code` is None if it is unknown. `flaps`: restarts since the last good run. A container that was stopped by a user
    is never restarted.
    """
    if spec.get("wanted") != "running":
        return False
    policy, retries = spec.get("restart_policy"), spec.get("restart_retries", 0)
    if policy in ("always", "unless-stopped"):
        return True
    limited = is_number(retries) and retries > 0
    return policy == "on-failure" and code != 0 and (not limited or flaps < retries)


def backoff(flaps: int) -> float:
    """Return the seconds until the next restart: doubled each time up to a minute, so a crash loop costs little."""
    return min(_BACKOFF_FIRST * 2 ** min(flaps, 20), _BACKOFF_MAX)


def has_run_well(state: dict, now: float) -> bool:
    """Return whether the run of the run state `state` has lasted for 10 seconds at `now` (seconds since boot)."""
    return is_number(state.get("began")) and now - state["began"] >= _GOOD_RUN


def exit_record(state: dict, status: int | None, oom_killed: bool, now: float) -> dict:
    """Return the content of exit.json.

    `state`: the run state; `status`: exit status, negative for a signal, None if unknown; `now`: seconds since 1970.
    """
    return {
        "version": 1,
        "pid": state["pid"],
        "start_time": state["start_time"],
        "exit_code": None if status is None else (status if status >= 0 else 128 - status),
        "signal": -status if status is not None and status < 0 else None,
        "oom_killed": oom_killed,
        "finished_at": now,
    }


def stop_options(spec: dict, default_signal: int, largest_signal: int) -> tuple[int, float]:
    """Return stop signal and timeout (seconds) of `spec`; timeout 0, which kills at once, without valid ones."""
    stop_signal, timeout = spec.get("stop_signal", default_signal), spec.get("stop_timeout", 0)
    if is_number(stop_signal) and 0 < stop_signal <= largest_signal and is_number(timeout):
        return int(stop_signal), timeout
    return default_signal, 0


def flaps_of(state: dict) -> int:
    """Return the number of restarts since the last good run according to a run state."""
    return count(state, "restarts") - count(state, "steady")


def count(state: dict, name: str) -> int:
    """Return the number `name` of a run state, 0 if it is missing."""
    return int(state[name]) if is_number(state.get(name)) else 0


def is_number(value: object) -> bool:
    """Return whether `value` is a number of JSON."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
