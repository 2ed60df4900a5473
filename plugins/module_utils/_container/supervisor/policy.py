# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions of the supervisor: whether a container is restarted, after which pause, and the record of its exit.

The values of specs and run states have their types: records.py has checked them.
"""

from __future__ import annotations

import signal

# How the kernel ends the first process of a container in which reboot(2) was called (reboot_pid_ns(),
# kernel/pid_namespace.c). It gets no other signal than SIGKILL that it does not handle (pid_namespaces(7)).
REBOOTED, POWERED_OFF = -signal.SIGHUP, -signal.SIGINT
# Seconds before the first restart, and at most.
_BACKOFF_FIRST, _BACKOFF_MAX = 0.1, 60.0
# Seconds after which a run counts as good: pauses and retries begin anew, as in docker.
_GOOD_RUN = 10.0


def should_restart(spec: dict, status: int | None, flaps: int) -> bool:
    """Return whether the container is started again after an exit with `status`: a reboot, or by the policy in `spec`.

    `status`: negative for a signal, None if it is unknown. `flaps`: restarts since the last good run. A container that
    was stopped by a user, or powered off inside, is not.
    """
    if spec.get("wanted") != "running" or status == POWERED_OFF:
        return False
    if status == REBOOTED:
        return True
    policy, retries = spec.get("restart_policy"), spec.get("restart_retries", 0)
    if policy in ("always", "unless-stopped"):
        return True
    return policy == "on-failure" and status != 0 and (retries == 0 or flaps < retries)


def backoff(flaps: int) -> float:
    """Return the seconds until the next restart: doubled each time up to a minute, so a crash loop costs little."""
    return min(_BACKOFF_FIRST * 2 ** min(flaps, 20), _BACKOFF_MAX)


def has_run_well(state: dict, now: float) -> bool:
    """Return whether the run of the run state `state` has lasted for 10 seconds at `now` (seconds since boot)."""
    return "began" in state and now - state["began"] >= _GOOD_RUN


def exit_record(state: dict, status: int | None, oom_killed: bool, now: float) -> dict:
    """Return the content of exit.json.

    `state`: the run state; `status`: exit status, negative for a signal, None if unknown; `now`: seconds since 1970.
    """
    # Neither a reboot nor a power off is a failure.
    code = 0 if status in (REBOOTED, POWERED_OFF) else status
    return {
        "pid": state["pid"],
        "start_time": state["start_time"],
        "exit_code": 128 - code if code is not None and code < 0 else code,
        "signal": -status if status is not None and status < 0 else None,
        "oom_killed": oom_killed,
        "finished_at": now,
    }


def stop_options(spec: dict) -> tuple[int, float]:
    """Return stop signal and timeout (seconds) of `spec`; without one, timeout 0, which kills at once."""
    return spec.get("stop_signal", signal.SIGTERM), spec.get("stop_timeout", 0)


def flaps_of(state: dict) -> int:
    """Return the number of restarts since the last good run according to a run state."""
    return count(state, "restarts") - count(state, "steady")


def count(state: dict, name: str) -> int:
    """Return the number `name` of a run state, 0 if it is missing."""
    return state.get(name, 0)
