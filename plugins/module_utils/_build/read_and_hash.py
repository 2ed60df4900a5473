# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving a file to a program and hashing it, with one read of each byte for both."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from collections.abc import Iterator

from .._errors import EffectFailed
from .._kernel import syscalls

_CHUNK = 1 << 20
_PR_SET_PDEATHSIG = 1


class Reading:
    """`pipe`: a descriptor from which the program reads."""

    def __init__(self, pipe: int, result: int) -> None:
        self.pipe = pipe
        self._result = result

    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the whole file, when the program has ended. Raises EffectFailed."""
        os.close(self.pipe)
        self.pipe = -1
        said = b""
        while chunk := os.read(self._result, _CHUNK):
            said += chunk
        if not said.startswith(b"="):
            raise EffectFailed(f"reading the archive failed: {said.decode(errors='replace') or 'it was interrupted'}")
        return said[1:].decode("ascii")


@contextlib.contextmanager
def read_once(fd: int, size: int) -> Iterator[Reading]:
    """For the block a process of ours reads the first `size` bytes of `fd`, hashes them, and passes them on.

    What the program leaves unread is hashed, too. `size` bounds it: somebody may write to the file without end.
    """
    reader, writer = os.pipe()
    result, result_writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            # Among them locks, which must not be held for longer than we live.
            syscalls.close_all_but({fd, writer, result_writer})
            syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            os.write(result_writer, b"=" + _pass_on(fd, size, writer).encode())
        except OSError as error:
            os.write(result_writer, (error.strerror or str(error)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.close(result_writer)
    reading = Reading(reader, result)
    try:
        yield reading
    finally:
        if reading.pipe >= 0:
            os.close(reading.pipe)
        os.close(result)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _pass_on(fd: int, size: int, writer: int) -> str:
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    digest, offset, listening = hashlib.sha256(), 0, True
    while offset < size and (chunk := os.pread(fd, min(_CHUNK, size - offset), offset)):
        digest.update(chunk)
        offset += len(chunk)
        view = memoryview(chunk)
        while listening and view:
            try:
                view = view[os.write(writer, view) :]
            except BrokenPipeError:
                # It has seen the archive's end.
                listening = False
    return digest.hexdigest()
