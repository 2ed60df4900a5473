# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`conductor logs`: print the output of a container's first process, and follow it."""

from __future__ import annotations

import codecs
import errno
import os
import time

from .._container.console_log import open_log
from .._container.facts import container_facts
from .._container.log_times import begin_since
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .output import shown

_CHUNK = 1 << 16
# Bytes from the end in which the last lines are searched: root in the container may have made the file any size.
_LONGEST_TAIL = 16 << 20
# Seconds between two looks at the log and at the state of the container.
_PAUSE = 0.2


def print_log(settings: Settings, name: str, follow: bool, tail: int | None = None, since: float | None = None) -> None:
    """Print the log to standard output, only its last `tail` lines unless that is None.

    `since`: only what was written after that time, in seconds since 1970. With `follow`, continue until the container
    has ended or is removed.
    """
    paths = ContainerPaths.of(settings.container_dir, name)
    write = _to_terminal if os.isatty(1) else _write_all
    try:
        fd = open_log(paths.log)
    except FileNotFoundError:
        # The container has never run.
        return
    try:
        begin = 0 if tail is None else _begin_of_last(fd, tail)
        if since is not None:
            begin = max(begin, _begin_of_line(fd, begin_since(paths, since)))
        os.lseek(fd, begin, os.SEEK_SET)
        # Up to the current end only: a container that writes faster than we read would keep us forever.
        _copy(fd, os.fstat(fd).st_size, write)
        while follow:
            # Checked first, so that the last output is printed too.
            is_running = _is_running(settings, name)
            _copy(fd, os.fstat(fd).st_size, write)
            if not is_running:
                return
            time.sleep(_PAUSE)
    finally:
        os.close(fd)


def _begin_of_last(fd: int, lines: int) -> int:
    """Return the position at which the last `lines` lines begin; 0 if there are fewer, or in the last 16 MiB."""
    end = os.fstat(fd).st_size
    position, left = end, lines
    while position > max(0, end - _LONGEST_TAIL):
        size = min(_CHUNK, position)
        position -= size
        data = os.pread(fd, size, position)
        # The line end at the very end ends the last line.
        upper = len(data) - 1 if position + size == end and data.endswith(b"\n") else len(data)
        while left and (found := data.rfind(b"\n", 0, upper)) >= 0:
            left, upper = left - 1, found
        if not left:
            return position + upper + 1 if lines else end
    return position


def _begin_of_line(fd: int, position: int) -> int:
    """Return the begin of the line that `position` is in, `position` if that is longer than 64 KiB."""
    first = max(0, position - _CHUNK)
    before = os.pread(fd, position - first, first)
    if b"\n" in before:
        return first + before.rfind(b"\n") + 1
    return position if first else 0


def _is_running(settings: Settings, name: str) -> bool:
    facts = container_facts(settings, name)
    return facts is not None and facts["state"] in ("running", "restarting")


def _copy(fd: int, end: int, write) -> None:
    """Copy from the current position to `end`, or from the start of a truncated file (copytruncate of logrotate)."""
    if end < os.lseek(fd, 0, os.SEEK_CUR):
        os.lseek(fd, 0, os.SEEK_SET)
    while True:
        # Root in the container may have made the file any size: skip holes.
        try:
            os.lseek(fd, os.lseek(fd, 0, os.SEEK_CUR), os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            os.lseek(fd, end, os.SEEK_SET)
            return
        left = end - os.lseek(fd, 0, os.SEEK_CUR)
        data = os.read(fd, min(_CHUNK, left)) if left > 0 else b""
        if not data:
            return
        write(data)


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


# A character may be split between two chunks.
_decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")


def _to_terminal(data: bytes) -> None:
    _write_all(shown(_decoder.decode(data)).encode("utf-8", errors="replace"))
