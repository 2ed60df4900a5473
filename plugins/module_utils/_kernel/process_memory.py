# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory of a process that was forked."""

from __future__ import annotations

import ctypes
import os

from . import syscalls

_MADV_POPULATE_WRITE = 23


def copy_all() -> None:
    """Copy all memory now that is shared with the process that this one was forked from (madvise(2), Linux 5.14).

    Else each page is copied when it is first written to, and Python writes to what it reads, too: to count references.
    An older kernel goes on doing so.
    """
    with open("/proc/self/maps", "rb") as file:
        regions = [line.split(None, 2)[:2] for line in file]
    for region, permissions in regions:
        if permissions == b"rw-p":
            start, end = (int(address, 16) for address in region.split(b"-"))
            syscalls.madvise(start, end - start, _MADV_POPULATE_WRITE)


def forget_environment() -> None:
    """Empty the environment, also where the kernel shows what the process began with: /proc/PID/environ.

    That is the memory from env_start to env_end (fields 50 and 51 of proc_pid_stat(5)), to which nothing refers then.
    """
    os.environ.clear()
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[47]), int(fields[48])
    ctypes.memset(start, 0, end - start)
