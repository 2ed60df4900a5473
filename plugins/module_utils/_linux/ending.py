# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the first process of a pid namespace ends, and with it every other one in there; always by a pidfd.

Each supervisor holds this in memory: it imports as little as it can.
"""

from __future__ import annotations

import errno
import select
import signal
import time

# poll(2) takes its time as a 32-bit number of milliseconds.
_LONGEST_POLL = (1 << 31) - 1


def receivable_signals(pid: int) -> int:
    """The mask of signals that reach the process where it is pid 1 of its namespace; 0 where it is gone.

    Those that it has a handler for, and those that it blocks: the latter wait for signalfd(2), which is how systemd
    reads them (SigCgt and SigBlk of /proc/PID/status; pid_namespaces(7)).
    """
    mask = 0
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith((b"SigCgt:", b"SigBlk:")):
                    mask |= int(line.split()[1], 16)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESRCH):
            raise
    return mask


def ask_to_end(pidfd: int, pid: int, stop_signal: int, timeout: float) -> None:
    """Send `stop_signal` to process `pid`, which `pidfd` holds, and SIGKILL where it lives on for `timeout` seconds.

    The kernel drops a signal that pid 1 neither handles nor blocks (pid_namespaces(7)), so such a process is killed at
    once: to wait for it would be in vain. After SIGKILL its end is not waited for.
    """
    if timeout > 0 and receivable_signals(pid) >> (stop_signal - 1) & 1:
        send(pidfd, stop_signal)
        if wait_ended(pidfd, timeout):
            return
    send(pidfd, signal.SIGKILL)


def send(pidfd: int, signum: int) -> None:
    """pidfd_send_signal(2), unless the process has ended."""
    try:
        signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        return


def wait_ended(pidfd: int, timeout: float) -> bool:
    """Wait up to `timeout` seconds until the process of `pidfd` has ended; whether it has."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        if poll.poll(max(0, int(min(left * 1000 + 1, _LONGEST_POLL)))):
            return True
        if left <= 0:
            return False
