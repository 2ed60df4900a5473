# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File descriptors of a process that outlives its caller, or that executes foreign code."""

from __future__ import annotations

from . import syscalls


def close_other_descriptors(keep: set[int]) -> None:
    """Close every descriptor above 2 except those in `keep`."""
    first = 3
    for fd in sorted(keep):
        syscalls.close_range(first, fd - 1)
        first = fd + 1
    syscalls.close_range(first)
