# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks between processes of one host: flock(2) on files in the run directory, released when the holder ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from .._errors import LockTimeout


class Lock(NamedTuple):
    """A lock by its name. Several processes can hold it at once if all of them request it `shared`."""

    name: str
    shared: bool = False


@contextlib.contextmanager
def locked(directory: str, lock: Lock, timeout: float) -> Iterator[None]:
    """Hold `lock` (a file in `directory`, created if missing) for the block.

    Raises LockTimeout, which names the holder's pid, after `timeout` seconds. The file is removed with the lock, so
    that no files accumulate; a waiter that locked a file that was removed meanwhile starts over.
    """
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = os.path.join(directory, f"{lock.name}.lock")
    kind = fcntl.LOCK_SH if lock.shared else fcntl.LOCK_EX
    deadline = time.monotonic() + timeout
    pause = 0.002
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            if time.monotonic() >= deadline:
                raise LockTimeout(
                    f"{lock.name} is locked by process {holder} for longer than {timeout:g} s",
                    "wait until that process has ended, or stop it, and run this again",
                ) from None
            time.sleep(pause)
            pause = min(pause * 2, 0.1)
            continue
        if _same_file(fd, path):
            break
        os.close(fd)
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield
    finally:
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            # Other holders of a shared lock need the file; only the last holder gets the exclusive lock.
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
        # A fork has the same lock, so that closing is not enough while it lives.
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


class HeldLocks:
    """Locks that are held until the end of the block, unless they are released before. See `locked`."""

    def __init__(self, directory: str, timeout: float) -> None:
        self._directory, self._timeout = directory, timeout
        self._held: dict[Lock, contextlib.ExitStack] = {}

    def __enter__(self) -> HeldLocks:
        return self

    def __exit__(self, *_: object) -> None:
        self.release(reversed(list(self._held)))

    def acquire(self, locks: Iterable[Lock]) -> None:
        """Acquire `locks` in their order. Raises LockTimeout."""
        for lock in locks:
            held = contextlib.ExitStack()
            held.enter_context(locked(self._directory, lock, self._timeout))
            self._held[lock] = held

    def __contains__(self, lock: Lock) -> bool:
        """Return whether `lock` has been acquired, and not been released."""
        return lock in self._held

    def __iter__(self) -> Iterator[Lock]:
        """Iterate over the locks that have been acquired, and not been released."""
        return iter(self._held)

    def release_all_but(self, kept: Collection[Lock]) -> None:
        """Release all but those in `kept`."""
        self.release([lock for lock in reversed(list(self._held)) if lock not in kept])

    def release(self, locks: Iterable[Lock]) -> None:
        """Release those of `locks` that are held."""
        for lock in locks:
            if lock in self._held:
                self._held.pop(lock).close()


def _same_file(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
