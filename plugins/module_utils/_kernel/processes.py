# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process is which: a pid alone is reused, a pid with its start time is not (proc(5))."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from dataclasses import dataclass

from .._errors import EffectFailed


@dataclass(frozen=True)
class ProcessId:
    """A process for as long as the host is up: pid and start time (clock ticks since boot)."""

    pid: int
    start_time: int

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The identity of `pid` now, or None where it is dead or a zombie."""
        stat = _stat(pid)
        return None if stat is None or stat[0] in "ZX" else cls(pid, stat[1])

    @classmethod
    def own(cls) -> ProcessId:
        """That of this process."""
        found = cls.of(os.getpid())
        # Who runs is neither dead nor a zombie.
        assert found is not None
        return found

    def alive(self) -> bool:
        """Whether this very process still runs: judged by state, for zombies may stay unreaped."""
        return ProcessId.of(self.pid) == self

    def wait_executed(self, timeout: float = 10.0) -> bool:
        """Wait until this very process runs a program of its own; False where it ended before that.

        Until then it is a copy of its parent, which is still on its way to the namespaces and the root that it will
        have. Raises EffectFailed after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while self.alive():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if has_executed(self.pid):
                    return self.alive()
            if time.monotonic() > deadline:
                raise EffectFailed(f"process {self.pid} has not become the container's after {timeout:g} s")
            time.sleep(0.001)
        return False

    def open(self) -> int | None:
        """A pidfd of this very process, or None where it has ended."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        # Between look and open the pid may have passed to another process: look again, now that the fd holds it.
        if self.alive():
            return fd
        os.close(fd)
        return None


def has_executed(pid: int) -> bool:
    """Whether the child `pid`, a zombie perhaps, has executed a program since it was forked.

    PF_FORKNOEXEC of include/linux/sched.h, in field 9 of /proc/PID/stat. It is taken away before descriptors that are
    close-on-exec are closed.
    """
    return not int(_stat_fields(pid)[6]) & 0x40


def parent_and_session(pid: int) -> tuple[int, int] | None:
    """Parent's pid and session of a process (fields 4 and 6 of /proc/PID/stat), or None where it has ended."""
    try:
        fields = _stat_fields(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), int(fields[3])


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and start time: fields 3 and 22 of /proc/PID/stat."""
    try:
        fields = _stat_fields(pid)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            return None
        raise
    return fields[0].decode(), int(fields[19])


def _stat_fields(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the third on, which follows the last ')'."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def is_argument(word: str) -> bool:
    """Whether a process of this host has `word` in its command line (/proc/PID/cmdline)."""
    for pid in os.listdir("/proc"):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if word.encode() in file.read().split(b"\0"):
                    return True
        except (FileNotFoundError, NotADirectoryError, ProcessLookupError):
            continue
    return False
