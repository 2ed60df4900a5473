# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent: a process that runs commands in containers. It has all modules loaded, as Python starts slowly.

The first request starts it. It ends ten minutes after the last request, like a connection that ssh keeps open
(ControlPersist in ssh_config(5)). It serves only root, on a socket that only root can reach.
"""

from __future__ import annotations

import fcntl
import os
import signal

from .._container.cgroup_paths import agents_cgroup
from .._kernel.descriptors import close_other_descriptors
from .._kernel.process_memory import erase_environment
from .._kernel.scheduling import reset_scheduling
from .handler import accept_root, answer
from .listener import is_listening, listen, serve


def start_agent(path: str) -> None:
    """Start an agent at the socket `path`; return when it listens. Does nothing if an agent listens already."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(f"{path}.lock", "w", encoding="ascii") as lock:
        # Without the lock, agents that start at the same time would replace each other's socket.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_listening(path):
            return
        _leave_session()
        reset_scheduling()
        listener = listen(path)
    if os.fork():
        return
    _detach(listener.fileno())
    serve(listener, accept_root, answer)
    os._exit(0)


def _leave_session() -> None:
    """Move to a cgroup outside of the first client's session, whose end would kill the commands of other clients."""
    cgroup = agents_cgroup()
    cgroup.create()
    cgroup.join()


def _detach(keep: int) -> None:
    """Detach from the first client: terminal, working directory, environment, and all descriptors but `keep`."""
    os.setsid()
    os.chdir("/")
    os.umask(0o022)
    erase_environment()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    close_other_descriptors({keep})
