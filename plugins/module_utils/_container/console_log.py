# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's console.log: the file is ours, but those inside have it open, and own what is in it."""

from __future__ import annotations

import errno
import os


def open_log(path: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the log at `path`, which a lease of those inside does not make us wait for (fcntl(2)).

    Raises OSError: FileNotFoundError if the container never ran, BlockingIOError while there is a lease.
    """
    try:
        fd = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except BlockingIOError:
        raise BlockingIOError(errno.EAGAIN, "a process inside holds a lease on it", path) from None
    os.set_blocking(fd, True)
    return fd


def log_size(path: str) -> int:
    """Bytes of the log so far."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
