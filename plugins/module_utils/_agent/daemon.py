# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever enters a container asks a process that has all loaded already: a Python that starts costs more than entering.

It begins with the first who asks, and ends by itself when nobody has asked for a while (as ControlPersist of
ssh_config(5) keeps a connection). It only serves root, by a socket that only root can reach.
"""

from __future__ import annotations

import fcntl
import os
import signal

from .._container.cgroup_paths import cgroup_of_entry
from .._container.exec.privileges import close_others
from .._kernel.process_memory import forget_environment
from .handler import admits_root, answer
from .listener import is_answered, listen, serve


def start(path: str) -> None:
    """Have a server listen at `path`; returns when it does. Does nothing where one listens already."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(f"{path}.lock", "w", encoding="ascii") as lock:
        # Two that come at the same time would take the socket away from each other.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_answered(path):
            return
        _leave_session()
        listener = listen(path)
    if os.fork():
        return
    _detach(listener.fileno())
    serve(listener, admits_root, answer)
    os._exit(0)


def _leave_session() -> None:
    """Have no part in the session of who asks first: its end would be that of what others run in containers."""
    cgroup = cgroup_of_entry()
    cgroup.create()
    cgroup.join()


def _detach(keep: int) -> None:
    """Let go of whoever asked first: terminal, directory, descriptors, environment."""
    os.setsid()
    os.chdir("/")
    os.umask(0o022)
    forget_environment()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    close_others({keep})
