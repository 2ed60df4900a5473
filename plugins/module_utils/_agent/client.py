# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client on this host, whose command or verb the agent runs: its connection, streams and surroundings.

After its request the client sends each signal that it receives as one byte. The answer is ACCEPTED, after which the
client must not repeat the request, and then an exit status or NOT_RUN. The client then takes another way, which also
explains what is wrong. If the connection ends without an answer, the process that ran it was killed.
"""

from __future__ import annotations

import os
import select
import socket

from .._kernel import syscalls

ACCEPTED, NOT_RUN = b"+", b"-"

# Lines of /proc/PID/status (proc_pid_status(5)) that a process inherits, and that limit what it can do.
_INHERITED = (
    b"Uid", b"Gid", b"Groups", b"CapInh", b"CapPrm", b"CapEff", b"CapBnd", b"CapAmb", b"NoNewPrivs", b"Seccomp",
    b"Seccomp_filters", b"Cpus_allowed", b"Mems_allowed",
)  # fmt: skip


def require_client(connection: socket.socket) -> None:
    """Check that the client is connected, so that its pid is that of no other process. Raises BrokenPipeError."""
    poll = select.poll()
    # POLLHUP needs no request (poll(2)).
    poll.register(connection, 0)
    if poll.poll(0):
        raise BrokenPipeError("the client has disconnected")


def streams_of(pid: int) -> tuple[int, int, int]:
    """Return duplicates of the standard streams of process `pid`. Raises OSError, also if Yama forbids it."""
    pidfd = os.pidfd_open(pid)
    try:
        stdin, stdout, stderr = (syscalls.pidfd_getfd(pidfd, fd) for fd in range(3))
        return stdin, stdout, stderr
    finally:
        os.close(pidfd)


def environment_of(pid: int) -> dict[bytes, bytes]:
    """Return the environment that process `pid` was started with. Raises OSError."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        entries = file.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


def is_like_this_process(pid: int) -> bool:
    """Return whether process `pid` has the namespaces, root, rights, limits and priority of this one. Raises OSError.

    Otherwise a verb could do here what it could not do there, or the other way round.
    """
    return _surroundings(str(pid)) == _surroundings("self")


def _surroundings(process: str) -> tuple:
    proc = f"/proc/{process}"
    namespaces = [os.readlink(f"{proc}/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))]
    root = os.stat(f"{proc}/root/")
    with open(f"{proc}/status", "rb") as file:
        status = [line for line in file if line.partition(b":")[0] in _INHERITED]
    with open(f"{proc}/limits", "rb") as file:
        limits = file.read()
    with open(f"{proc}/oom_score_adj", "rb") as file:
        oom_score_adj = file.read()
    priority = os.getpriority(os.PRIO_PROCESS, 0 if process == "self" else int(process))
    return namespaces, (root.st_dev, root.st_ino), status, limits, oom_score_adj, priority
