# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity of processes: a pid alone is reused, a pid with its start time is not (proc(5))."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from dataclasses import dataclass

from .._errors import EffectFailed


@dataclass(frozen=True)
class ProcessId:
    """Identity of a process until the host reboots: pid and start time (clock ticks since boot)."""

    pid: int
    start_time: int

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """Return the identity of the process that has `pid` now, or None if it is dead or a zombie."""
        stat = _stat(pid)
        return None if stat is None or stat[0] in "ZX" else cls(pid, stat[1])

    @classmethod
    def of_self(cls) -> ProcessId:
        """Return the identity of this process."""
        found = cls.of(os.getpid())
        # This process runs, so it is neither dead nor a zombie.
        if found is None:
            raise AssertionError("this process has no /proc/PID/stat")
        return found

    def is_alive(self) -> bool:
        """Return whether the process still runs. A zombie, which may stay unreaped, does not."""
        return ProcessId.of(self.pid) == self

    def wait_for_exec(self, timeout: float = 10.0) -> bool:
        """Wait until the process has executed its program; return False if it ended before.

        Until then it is a copy of its parent, and may not have entered its namespaces and its root yet. Raises
        EffectFailed after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while self.is_alive():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if has_executed(self.pid):
                    return self.is_alive()
            if time.monotonic() > deadline:
                raise EffectFailed(f"process {self.pid} has not executed its program after {timeout:g} s")
            time.sleep(0.001)
        return False

    def open(self) -> int | None:
        """Return a pidfd of the process, or None if it has ended."""
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        # The pid may have been reused before pidfd_open: check again now that the descriptor holds the process.
        if self.is_alive():
            return fd
        os.close(fd)
        return None


def has_executed(pid: int) -> bool:
    """Return whether the child `pid`, possibly a zombie, has executed a program since it was forked.

    Source: PF_FORKNOEXEC of include/linux/sched.h, in field 9 of /proc/PID/stat. The kernel clears it before it closes
    descriptors that are close-on-exec.
    """
    return not int(_stat_fields(pid)[6]) & 0x40


def parent_and_session(pid: int) -> tuple[int, int] | None:
    """Return the parent's pid and the session of a process (fields 4 and 6 of /proc/PID/stat); None if it has ended."""
    try:
        fields = _stat_fields(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), int(fields[3])


def _stat(pid: int) -> tuple[str, int] | None:
    """Return state letter and start time (fields 3 and 22 of /proc/PID/stat); None if the process does not exist."""
    try:
        fields = _stat_fields(pid)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESRCH):
            return None
        raise
    return fields[0].decode(), int(fields[19])


def _stat_fields(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the third on, which follows the last ')'."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()
