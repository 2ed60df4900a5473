# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion of bundles that other releases have left on a host. A new bundle loads this when it is installed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable

from .._kernel.cgroup import Cgroup
from .._kernel.files.atomic_write import remove_tree
from .bundle import is_pinned
from .paths import AGENTS_CGROUP, SUPERVISOR_CGROUP

# Delete bundles that have not been used for this many seconds. Modules that run from one now have recorded its use.
_MAX_AGE = 7 * 86400
# Bytes of a command line that are read.
_ARGUMENTS = 4096


def remove_unused(directories: Iterable[str]) -> None:
    """Delete the unused bundles of `directories`, except pinned ones and those that a supervisor or agent runs from."""
    for directory in directories:
        with contextlib.suppress(FileNotFoundError):
            is_old = time.time() - os.stat(directory).st_mtime > _MAX_AGE
            if is_old and not is_pinned(directory) and not is_running(directory):
                remove_tree(directory)


def is_running(directory: str) -> bool:
    """Return whether a supervisor or an agent runs from this bundle, whose directory is one of its arguments.

    Command lines of other processes are not read: the kernel takes them from memory of the process, which can be of any
    size, and can block the reader (userfaultfd(2)).
    """
    pids = [pid for path in (SUPERVISOR_CGROUP, AGENTS_CGROUP) for pid in Cgroup(path).processes()]
    return any(directory.encode() in _arguments(pid) for pid in pids)


def _arguments(pid: int) -> list[bytes]:
    """Return the arguments of a process (/proc/PID/cmdline); none if it has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as file:
            return file.read(_ARGUMENTS).split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
