# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy, priority and CPUs, which a process inherits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable


def reset_scheduling(cpus: Iterable[int]) -> None:
    """Give this process the default policy and priority, and `cpus`, as far as its cgroup and its rights allow.

    Processes in a user namespace could not raise an inherited priority again (setpriority(2), sched(7)).
    """
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, cpus)
