# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`conductor logs`: what a container's first process has written, and goes on to write."""

from __future__ import annotations

import codecs
import errno
import os
import time

from .._container.console_log import open_log
from .._container.facts import container_facts
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .output import shown

_CHUNK = 1 << 16
# Seconds between two looks. There is no inotify(7) in the standard library.
_PAUSE = 0.2


def print_log(settings: Settings, name: str, follow: bool) -> None:
    """Print the log to standard output; with `follow` go on until the container has ended or is gone."""
    path = ContainerPaths.of(settings.container_dir, name).log
    write = _to_terminal if os.isatty(1) else _write_all
    try:
        fd = open_log(path)
    except FileNotFoundError:
        # It never ran.
        return
    try:
        # No more than there is now: a container that writes faster than we read would keep us for ever.
        _copy(fd, os.fstat(fd).st_size, write)
        while follow:
            # Asked first: what it wrote at its end is printed then.
            goes_on = _runs(settings, name)
            _copy(fd, os.fstat(fd).st_size, write)
            if not goes_on:
                return
            time.sleep(_PAUSE)
    finally:
        os.close(fd)


def _runs(settings: Settings, name: str) -> bool:
    facts = container_facts(settings, name)
    return facts is not None and facts["state"] in ("running", "restarting")


def _copy(fd: int, end: int, write) -> None:
    """From where we are to `end`; from the beginning where the file was begun anew (logrotate's copytruncate)."""
    if end < os.lseek(fd, 0, os.SEEK_CUR):
        os.lseek(fd, 0, os.SEEK_SET)
    while True:
        # Those inside may have made it as long as they like: of a hole there is nothing to print.
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


# A character may be cut in two by the end of a chunk.
_decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")


def _to_terminal(data: bytes) -> None:
    _write_all(shown(_decoder.decode(data)).encode("utf-8", errors="replace"))
