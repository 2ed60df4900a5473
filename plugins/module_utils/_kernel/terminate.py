# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the first process of a pid namespace ends, and with it every other one in there; always by a pidfd.

Each supervisor holds this in memory: it imports as little as it can.
"""

from __future__ import annotations

import select
import signal
import time
from typing import NamedTuple

# poll(2) takes its time as a 32-bit number of milliseconds.
_LONGEST_POLL = (1 << 31) - 1
# rt_sigtimedwait(2) of every architecture that Debian has, 32-bit programs' included (arch/*/tools/syscall.tbl).
_SIGNAL_WAITS = (128, 137, 176, 177, 421, 523 | 1 << 30)


class _Look(NamedTuple):
    """A process's status at one moment: masks of signals (bit n - 1 for signal n), and how often it has slept."""

    reached: int
    pending: int
    traced: bool
    sleeps: int


def ask_to_end(pidfd: int, pid: int, stop_signal: int, timeout: float) -> None:
    """Send `stop_signal` to process `pid`, which `pidfd` holds, and SIGKILL where it lives on for `timeout` seconds.

    Where the kernel has certainly dropped the signal, as for a pid 1 that neither handles nor blocks it
    (pid_namespaces(7)), it is killed at once: to wait would be in vain. After SIGKILL its end is not waited for.
    """
    if timeout > 0:
        before, call = _sleeping(pid)
        send(pidfd, stop_signal)
        if not _is_dropped(before, call, _look(pid), stop_signal) and wait_ended(pidfd, timeout):
            return
    send(pidfd, signal.SIGKILL)


def _is_dropped(before: _Look | None, call: int | None, after: _Look | None, signum: int) -> bool:
    """Whether the kernel has dropped a signal that was sent between the two looks.

    The process slept in system call `call` all the while, and so was not woken by the signal; it does not wait for it
    either, which SigBlk does not show: sigtimedwait(2) unblocks what it waits for (kernel/signal.c, do_sigtimedwait).
    """
    if before is None or after is None or call is None or call in _SIGNAL_WAITS or before.sleeps != after.sleeps:
        return False
    bit = 1 << (signum - 1)
    return not (before.traced or after.traced or (before.reached | after.reached | after.pending) & bit)


def _sleeping(pid: int) -> tuple[_Look | None, int | None]:
    """A look at the process while it sleeps, and the number of the system call that it sleeps in.

    None where it is busy for 20 ms, or where the kernel does not say (/proc/PID/syscall, proc_pid_syscall(5)).
    """
    for _ in range(10):
        before = _look(pid)
        try:
            with open(f"/proc/{pid}/syscall", "rb") as file:
                word = file.read().split()[0]
        except (OSError, IndexError):
            return None, None
        if word.isdigit() and before is not None and before == _look(pid):
            return before, int(word)
        time.sleep(0.002)
    return None, None


def _look(pid: int) -> _Look | None:
    """SigCgt: handlers. SigBlk: blocked, for signalfd(2), which is how systemd reads them (proc_pid_status(5))."""
    found = {}
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                key, _, value = line.partition(b":")
                found[key] = value
        masks = [int(found[key], 16) for key in (b"SigCgt", b"SigBlk", b"SigPnd", b"ShdPnd")]
        sleeps = int(found[b"voluntary_ctxt_switches"]) + int(found[b"nonvoluntary_ctxt_switches"])
        return _Look(masks[0] | masks[1], masks[2] | masks[3], int(found[b"TracerPid"]) != 0, sleeps)
    except (OSError, KeyError, ValueError):
        return None


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
