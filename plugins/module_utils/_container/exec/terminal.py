# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on a terminal of the container: a terminal of the host is never passed into a container.

The command's process creates it from the container's devpts, when it is inside and has the rights of root there at
most. It sends the other end (the master) out through a socket.
"""

from __future__ import annotations

import fcntl
import os
import socket
import termios

from ..._errors import EffectFailed
from ..._kernel.cgroup import Cgroup
from ..._kernel.processes import ProcessId
from .enter import Command, container_stopped_error, spawn


def start_on_terminal(process: ProcessId, cgroup: Cgroup, command: Command, size: bytes) -> tuple[int, int]:
    """Start `command` on a terminal of `size` (struct winsize, ioctl_tty(2)); return the helper's pid and the master.

    The helper ends as the command does. If the master is closed before, the terminal hangs up: processes on it get
    SIGHUP. Raises the errors of `run_inside`.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            helper, _ = spawn(
                process, cgroup, command, (theirs.fileno(),), wait=True, arrange=lambda: open_pty(theirs, size)
            )
        _, received, _, _ = socket.recv_fds(ours, 1, 1)
    if not received:
        # Killed with the container before it could send the descriptor.
        os.waitpid(helper, 0)
        raise container_stopped_error()
    return helper, received[0]


def open_pty(connection: socket.socket, size: bytes) -> tuple[int, int, int]:
    """Standard streams on a new controlling terminal. Runs inside, where nothing can be imported."""
    try:
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    except OSError as error:
        raise EffectFailed(
            f"terminal in the container: {error.strerror}", "check /dev/ptmx and /dev/pts in the container"
        ) from None
    socket.send_fds(connection, [b"m"], [master])
    return slave, slave, slave
