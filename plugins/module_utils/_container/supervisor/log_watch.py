# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the times of all logs while their containers write, at most once a second for each."""

from __future__ import annotations

import contextlib
import time

from ..._engine.paths import ContainerPaths
from ..._kernel import inotify
from ..log_times import has_grown, record_size
from .event_loop import EventLoop

# Seconds from the first write to the record: no container keeps the supervisor busy by writing.
_INTERVAL = 1.0


class LogWatch:
    """The logs that are watched. Without inotify (the host's limit of it) only begin and end are recorded."""

    def __init__(self, loop: EventLoop) -> None:
        self._fd: int | None = None
        self._logs: dict[str, ContainerPaths] = {}
        self._names: dict[int, str] = {}
        # Times of the next records, in seconds since boot. The first is due first.
        self._due: dict[str, float] = {}
        with contextlib.suppress(OSError):
            self._fd = inotify.create()
            loop.add(self._fd, self._see_writes)

    def begin(self, paths: ContainerPaths) -> None:
        """Watch the log of a container that runs."""
        self._logs[paths.name] = paths
        self._watch(paths)
        # Another supervisor may have recorded it.
        if has_grown(paths):
            record_size(paths, time.time())

    def end(self, name: str) -> None:
        """Record the end of the log of a container that has ended."""
        paths = self._logs.pop(name, None)
        self._due.pop(name, None)
        if paths is not None:
            record_size(paths, time.time())

    def next_record(self) -> float | None:
        """Time of the next record in seconds since boot; None if none is due."""
        return next(iter(self._due.values()), None)

    def record_due(self) -> None:
        """Record the sizes that are due."""
        now = time.monotonic()
        for name in [name for name, when in self._due.items() if when <= now]:
            del self._due[name]
            # Before its size is read: what is written between both is reported again.
            self._watch(self._logs[name])
            record_size(self._logs[name], time.time())

    def _see_writes(self) -> None:
        if self._fd is None:
            return
        numbers = inotify.read_events(self._fd)
        names = {self._names.pop(number, "") for number in numbers}
        if inotify.OVERFLOW in numbers:
            names.update(self._logs)
        due = time.monotonic() + _INTERVAL
        for name in names & self._logs.keys():
            self._due.setdefault(name, due)

    def _watch(self, paths: ContainerPaths) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                self._names[inotify.watch_once(self._fd, paths.log)] = paths.name
