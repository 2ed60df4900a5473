# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminate the first process of a pid namespace, and with it all others in it, by a pidfd.

It imports as little as possible, because the supervisor holds it in memory.
"""

from __future__ import annotations

import select
import signal
import time
from typing import NamedTuple

# poll(2) takes the timeout as a 32-bit number of milliseconds.
_LONGEST_POLL = (1 << 31) - 1
# Numbers of rt_sigtimedwait(2) on all architectures of Debian, also for 32-bit programs (arch/*/tools/syscall.tbl).
_SIGNAL_WAITS = (128, 137, 176, 177, 421, 523 | 1 << 30)


class _Status(NamedTuple):
    """The status of a process at one moment: masks of signals (bit n - 1 for signal n) and number of sleeps.

    `reached`: signals that it handles or blocks.
    """

    reached: int
    pending: int
    traced: bool
    sleeps: int


def terminate(pidfd: int, pid: int, stop_signal: int, timeout: float) -> None:
    """Send `stop_signal` to process `pid`, which `pidfd` holds, and SIGKILL if it still runs after `timeout` seconds.

    If the kernel has certainly dropped the signal, as for a pid 1 that neither handles nor blocks it
    (pid_namespaces(7)), it is killed at once. Does not wait for its end after SIGKILL.
    """
    if timeout > 0:
        before, call = _sleeping(pid)
        send_signal(pidfd, stop_signal)
        if not _is_dropped(before, call, _status(pid), stop_signal) and wait_for_exit(pidfd, timeout):
            return
    send_signal(pidfd, signal.SIGKILL)


def _is_dropped(before: _Status | None, call: int | None, after: _Status | None, signum: int) -> bool:
    """Return whether the kernel has dropped a signal that was sent between the two statuses.

    If so, the process slept in system call `call` all the time, so the signal did not wake it, and that call does not
    wait for signals. SigBlk does not show such a wait, because sigtimedwait(2) unblocks the signals that it waits for
    (kernel/signal.c, do_sigtimedwait).
    """
    if before is None or after is None or call is None or call in _SIGNAL_WAITS or before.sleeps != after.sleeps:
        return False
    bit = 1 << (signum - 1)
    return not (before.traced or after.traced or (before.reached | after.reached | after.pending) & bit)


def _sleeping(pid: int) -> tuple[_Status | None, int | None]:
    """Return the status of the process while it sleeps, and the number of the system call that it sleeps in.

    None if it is busy for 20 ms, or if the kernel does not tell the call (/proc/PID/syscall, proc_pid_syscall(5)).
    """
    for _ in range(10):
        before = _status(pid)
        try:
            with open(f"/proc/{pid}/syscall", "rb") as file:
                word = file.read().split()[0]
        except (OSError, IndexError):
            return None, None
        if word.isdigit() and before is not None and before == _status(pid):
            return before, int(word)
        time.sleep(0.002)
    return None, None


def _status(pid: int) -> _Status | None:
    """Read the status of a process; None if it has ended.

    SigCgt: handled signals. SigBlk: blocked signals, which systemd reads by signalfd(2) (proc_pid_status(5)).
    """
    found = {}
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                key, _, value = line.partition(b":")
                found[key] = value
        masks = [int(found[key], 16) for key in (b"SigCgt", b"SigBlk", b"SigPnd", b"ShdPnd")]
        sleeps = int(found[b"voluntary_ctxt_switches"]) + int(found[b"nonvoluntary_ctxt_switches"])
        return _Status(masks[0] | masks[1], masks[2] | masks[3], int(found[b"TracerPid"]) != 0, sleeps)
    except (OSError, KeyError, ValueError):
        return None


def send_signal(pidfd: int, signum: int) -> None:
    """Send a signal by pidfd_send_signal(2). Does nothing if the process has ended."""
    try:
        signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        return


def wait_for_exit(pidfd: int, timeout: float) -> bool:
    """Wait up to `timeout` seconds for the end of the process `pidfd`. Return whether it has ended."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        if poll.poll(max(0, int(min(left * 1000 + 1, _LONGEST_POLL)))):
            return True
        if left <= 0:
            return False
