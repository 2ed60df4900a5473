# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exit status of a process that is no child of this one, by its pidfd."""

from __future__ import annotations

import fcntl
import struct
import time

# include/uapi/linux/pidfd.h: struct pidfd_info (mask, cgroupid, pid to fsgid, exit_code), _IOWR(0xFF, 11, 64 bytes).
_INFO = struct.Struct("=QQ11Ii")
_PIDFD_GET_INFO = 0xC040FF0B
_PIDFD_INFO_EXIT = 1 << 3
# Seconds. The kernel knows the status as soon as the parent, which is process 1, has waited for the process.
_REAPED_WITHIN = 0.5


def exit_status(pidfd: int) -> int | None:
    """Return the wait status of an ended process, or None if the kernel does not report it (before Linux 6.15).

    A process that nobody has waited for within half a second also yields None.
    """
    deadline = time.monotonic() + _REAPED_WITHIN
    while True:
        buffer = bytearray(_INFO.size)
        _INFO.pack_into(buffer, 0, _PIDFD_INFO_EXIT, *([0] * 13))
        try:
            fcntl.ioctl(pidfd, _PIDFD_GET_INFO, buffer)
            mask, *_, status = _INFO.unpack(buffer)
        except ProcessLookupError:
            mask, status = 0, 0
        except OSError:
            # ENOTTY before Linux 6.13.
            return None
        if mask & _PIDFD_INFO_EXIT:
            return int(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.002)
