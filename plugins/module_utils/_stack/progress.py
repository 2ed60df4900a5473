# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress of a run of a stack: one line for each finished action and each error, as soon as it is known."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone

from .._engine.paths import RUN_DIR
from .._errors import ConductorError, one_line

_DIRECTORY = os.path.join(RUN_DIR, "stacks")
# Bytes. The directory is in memory (tmpfs).
_LARGEST = 1 << 20


def progress_log(name: str) -> str:
    """Return the path of the log of stack `name`."""
    return os.path.join(_DIRECTORY, f"{name}.log")


class Progress:
    """Lines with their time in UTC, appended to the file `path` ("": none) and given to `echo`.

    The first line empties the file. An error of the file ends the log and never the run.
    """

    def __init__(self, path: str = "", largest: int = _LARGEST) -> None:
        self.echo: Callable[[str], None] = lambda line: None
        self._path = path
        self._largest, self._size = largest, 0
        self._fd = -1
        self._has_begun = False
        self._done = 0
        self._failed: set[str] = set()

    def begin(self, text: str) -> None:
        """Report the begin of a run, or of its next part."""
        if not self._has_begun:
            self._has_begun = True
            if self._path:
                with contextlib.suppress(OSError):
                    self._fd = _open_emptied(self._path)
        self._write(f"begin: {text}")

    def done(self, text: str) -> None:
        """Report a finished action."""
        self._done += 1
        self._write(text)

    def failed(self, name: str, error: BaseException) -> None:
        """Report the error of the container or image `name`, or of the run if it is ""."""
        self._failed.add(name)
        self._write(f"failed: {error}")

    def image_done(self, texts: Iterable[str]) -> None:
        """Report the finished actions of an image, before the actions of the containers are planned."""
        for text in texts:
            if not self._has_begun:
                self.begin("images first")
            self.done(text)

    def image_failed(self, name: str, error: ConductorError) -> None:
        """Report that the run ends with the error of an image."""
        if not self._has_begun:
            self.begin("images first")
        self.failed(name, error)
        self.end()

    @contextlib.contextmanager
    def until_end(self) -> Iterator[None]:
        """Report the error of the block and the end of the run, if it has begun."""
        try:
            yield
        except (ConductorError, OSError) as error:
            if self._has_begun:
                self.failed("", error)
            raise
        finally:
            self.end()

    def end(self) -> None:
        """Report the end of the run, if it has begun."""
        if self._has_begun:
            self._write(f"end: {self._done} done, {len(self._failed)} failed", is_last=True)
            self._close()
            self._has_begun = False

    def remove(self) -> None:
        """Delete the log."""
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def _write(self, text: str, is_last: bool = False) -> None:
        line = f"{datetime.now(timezone.utc).isoformat(timespec='milliseconds')} {one_line(text)}"
        self.echo(line)
        if self._fd == -1:
            return
        data = f"{line}\n".encode()
        was_full = self._size > self._largest
        self._size += len(data)
        if self._size > self._largest and not is_last:
            data = b"" if was_full else b"the log is full: more lines are left out\n"
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            self._close()

    def _close(self) -> None:
        if self._fd != -1:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1


def _open_emptied(path: str) -> int:
    """Return a descriptor of the file, emptied, for root only. Raises OSError, also for a symlink in place of it."""
    directory, name = os.path.split(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    # O_APPEND: nothing is written behind a hole if another run empties the file. O_NONBLOCK: open(2) of a FIFO.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(directory_fd, 0o700)
        fd = os.open(name, flags, 0o600, dir_fd=directory_fd)
    finally:
        os.close(directory_fd)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(f"{path} is not a regular file")
        os.fchmod(fd, 0o600)
        os.ftruncate(fd, 0)
    except OSError:
        os.close(fd)
        raise
    return fd
