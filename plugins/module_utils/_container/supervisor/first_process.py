# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""First processes, held by a pidfd (pidfd_open(2)): which one it is, whether it has ended, and how."""

from __future__ import annotations

import errno
import os
import select

from ..._kernel.pidfd import exit_status


def open_first_process(pid: int, start_time: int) -> int | None:
    """Return a pidfd of a first process, also of one that has ended and that this process has not waited for.

    Returns None if no process has this pid, or another one (start time: field 22 of proc(5)). Raises OSError, for
    instance without a free descriptor.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        # EINVAL: pid 0, or a thread that is not a process.
        if error.errno in (errno.ESRCH, errno.EINVAL):
            return None
        raise
    # Checked while the descriptor holds the process.
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            same = int(file.read().rpartition(b")")[2].split()[19]) == start_time
    except (FileNotFoundError, ProcessLookupError):
        same = False
    except OSError:
        # Unknown: to take a running process for an ended one would start its container twice.
        os.close(pidfd)
        raise
    if same:
        return pidfd
    os.close(pidfd)
    return None


def wait_status(pidfd: int) -> int | None:
    """Return the exit status of an ended first process (negative: a signal), None if the kernel does not report it."""
    try:
        found = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    except ChildProcessError:
        # Started by a supervisor that was killed.
        status = exit_status(pidfd)
        return None if status is None else os.waitstatus_to_exitcode(status)
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def is_readable(fd: int) -> bool:
    """Return whether `fd` is readable now. A pidfd is if its process has ended."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
