# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of a forked process."""

from __future__ import annotations

import ctypes
import os

from . import syscalls

_MADV_POPULATE_WRITE = 23


def copy_shared_memory() -> None:
    """Copy all memory that this process shares with its parent since the fork (madvise(2), Linux 5.14).

    Otherwise each page is copied at the first write, and Python also writes to objects that it reads, to count
    references. Has no effect on older kernels.
    """
    with open("/proc/self/maps", "rb") as file:
        regions = [line.split(None, 2)[:2] for line in file]
    for region, permissions in regions:
        if permissions == b"rw-p":
            start, end = (int(address, 16) for address in region.split(b"-"))
            syscalls.madvise(start, end - start, _MADV_POPULATE_WRITE)


def erase_environment() -> None:
    """Clear the environment, and the initial environment that the kernel shows in /proc/PID/environ.

    That is the memory from env_start to env_end (fields 50 and 51 of proc_pid_stat(5)), which is unreferenced then.
    """
    os.environ.clear()
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[47]), int(fields[48])
    ctypes.memset(start, 0, end - start)
