# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn from the kernel that files are written to (inotify(7))."""

from __future__ import annotations

import ctypes
import os
import struct

_IN_MODIFY, _IN_ONESHOT = 0x2, 0x80000000
_EVENT = struct.Struct("iIII")
# wd of the event that says that others were lost.
OVERFLOW = -1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.inotify_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]


def create() -> int:
    """Return a descriptor of events that does not block. Raises OSError, for instance if a user has too many."""
    return _check(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def watch_once(fd: int, path: str) -> int:
    """Report the next write to the file at `path`; return the number that its event will have. Raises OSError."""
    return _check(_libc.inotify_add_watch(fd, os.fsencode(path), _IN_MODIFY | _IN_ONESHOT))


def read_events(fd: int) -> set[int]:
    """Return the numbers of the files that were written to, or that are not watched any more."""
    try:
        # Events of files, in contrast to those of directories, have no names.
        data = os.read(fd, _EVENT.size * 1024)
    except BlockingIOError:
        return set()
    return {event[0] for event in _EVENT.iter_unpack(data)}


def _check(result: int) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"inotify: {os.strerror(number)}")
    return result
