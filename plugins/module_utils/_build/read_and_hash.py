# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipe a file to a program and hash it, reading each byte only once."""

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
    """A file that is being read. `pipe` is the descriptor from which the program reads it."""

    def __init__(self, pipe: int, result: int) -> None:
        self.pipe = pipe
        self._result = result

    def digest(self) -> str:
        """Return the SHA-256 (hexadecimal) of the whole file. Call it after the program's end. Raises EffectFailed."""
        os.close(self.pipe)
        self.pipe = -1
        said = b""
        while chunk := os.read(self._result, _CHUNK):
            said += chunk
        if not said.startswith(b"="):
            raise EffectFailed(f"reading the archive failed: {said.decode(errors='replace') or 'interrupted'}")
        return said[1:].decode("ascii")


@contextlib.contextmanager
def read_once(fd: int, size: int) -> Iterator[Reading]:
    """Start a process for the block that reads the first `size` bytes of `fd`, hashes them, and writes them to a pipe.

    Bytes that the program leaves unread are hashed, too. `size` is a bound in case the file grows without end.
    """
    reader, writer = os.pipe()
    result, result_writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            # The descriptors include locks, which must not outlive the parent.
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
                # The program has read the archive's end.
                listening = False
    return digest.hexdigest()
