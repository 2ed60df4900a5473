# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policy, priority and CPUs, which a process inherits."""

from __future__ import annotations

import contextlib
import os


def reset_scheduling() -> None:
    """Give this process the default policy and priority, and the CPUs of the host's pid 1, as far as it has the right.

    A process that outlives its caller must not keep those of the caller, and processes in a user namespace could not
    raise the priority again (setpriority(2), sched(7)).
    """
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    # EINVAL: the cgroup has none of these.
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, os.sched_getaffinity(1))
