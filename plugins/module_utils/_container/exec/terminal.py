# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command in a container with a terminal, which is the container's own: none of the host's is ever inside.

It is made by the command's process when that is inside and has no more rights than root there, of the container's
devpts; its other end (the master) is handed out to us by a socket.
"""

from __future__ import annotations

import fcntl
import os
import socket
import termios

from ..._errors import EffectFailed
from ..._kernel.cgroup import Cgroup
from ..._kernel.processes import ProcessId
from .enter import Command, ended_before, spawn


def start_on_terminal(process: ProcessId, cgroup: Cgroup, command: Command, size: bytes) -> tuple[int, int]:
    """Start `command` on a terminal of `size` (struct winsize, ioctl_tty(2)): its helper's pid, and the master.

    The helper ends as the command does. Where the master is closed before, the terminal hangs up: what runs on it gets
    SIGHUP. Raises as `run_inside` does.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            helper, _ = spawn(
                process, cgroup, command, (theirs.fileno(),), wait=True, arrange=lambda: _make(theirs, size)
            )
        _, received, _, _ = socket.recv_fds(ours, 1, 1)
    if not received:
        # Killed on its way, with all of the container.
        os.waitpid(helper, 0)
        raise ended_before()
    return helper, received[0]


def _make(connection: socket.socket, size: bytes) -> tuple[int, int, int]:
    """The streams of a command whose controlling terminal is a new one. Runs inside: nothing is imported any more."""
    try:
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    except OSError as error:
        raise EffectFailed(
            f"a terminal in the container: {error.strerror}", "is its /dev/ptmx what it should be?"
        ) from None
    socket.send_fds(connection, [b"m"], [master])
    return slave, slave, slave
