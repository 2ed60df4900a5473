# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The times of a log: its size at some times, so that its part since a time can be found.

The log is a file that processes inside write to directly, and has what they wrote, without times. Each line of the file
of times is a time in seconds since 1970 and the size of the log then, in bytes.
"""

from __future__ import annotations

import contextlib
import math
import os
import re

from .._engine.paths import ContainerPaths
from .._kernel.files.atomic_write import read_text, write_atomic
from .console_log import log_size

# Bytes, some thousand times. Then every second one of the older half goes.
_LARGEST = 1 << 16
_LINE = re.compile(r"(\d{1,20}\.\d) (\d{1,20})")


def record_size(paths: ContainerPaths, now: float) -> None:
    """Add the present size of the log to its times. Errors are ignored: a full disk, or a removed container."""
    with contextlib.suppress(OSError):
        size = log_size(paths.log)
        with open(paths.log_times, "a", encoding="ascii") as file:
            # Rounded up: all of it was written before.
            file.write(f"{math.ceil(now * 10) / 10:.1f} {size}\n")
            is_large = file.tell() > _LARGEST
        if is_large:
            write_atomic(paths.log_times, "\n".join([*thin_out(read_text(paths.log_times).splitlines()), ""]).encode())


def has_grown(paths: ContainerPaths) -> bool:
    """Return whether the log was written to since its last time."""
    with contextlib.suppress(OSError):
        return os.stat(paths.log).st_mtime_ns > os.stat(paths.log_times).st_mtime_ns
    return True


def thin_out(lines: list[str]) -> list[str]:
    """Leave out every second one of the older half of `lines`."""
    half = len(lines) // 2
    return [*lines[:half:2], *lines[half:]]


def begin_since(paths: ContainerPaths, since: float) -> int:
    """Return a position of the log before which everything was written before the time `since`.

    Sizes are recorded once a second while a container writes, so that output of one more second may follow.
    """
    return find_begin(read_text(paths.log_times), since, log_size(paths.log))


def find_begin(times: str, since: float, size: int) -> int:
    """The same by the content of the file of times and the present size of the log."""
    begin, last, is_found = 0, 0, False
    for found in _LINE.finditer(times):
        when, then = float(found[1]), int(found[2])
        if then < last:
            # Truncated since, as by copytruncate of logrotate(8).
            begin, is_found = 0, False
        last = then
        # The first one later than that, also if the clock of the host was set back since.
        is_found = is_found or when > since
        if not is_found:
            begin = then
    return begin if last <= size else 0
