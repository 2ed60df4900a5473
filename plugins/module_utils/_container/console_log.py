# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The console.log of a container. Untrusted: processes inside have the file open and choose its content."""

from __future__ import annotations

import errno
import os


def open_log(path: str, flags: int = os.O_RDONLY) -> int:
    """Open the log at `path` without waiting for a lease that a process inside holds (fcntl(2)); return a descriptor.

    Raises OSError: FileNotFoundError if the container never ran, BlockingIOError while a lease is held.
    """
    try:
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except BlockingIOError:
        raise BlockingIOError(errno.EAGAIN, "a process inside holds a lease on it", path) from None
    os.set_blocking(fd, True)
    return fd


def log_size(path: str) -> int:
    """Current size of the log in bytes; 0 if it does not exist."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
