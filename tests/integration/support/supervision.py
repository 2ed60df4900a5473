"""The supervisor of a test host: its pid, its signals, and its cgroup."""

from __future__ import annotations

import os
import signal

from waiting import until

CGROUP = "/conductor/.supervisor"


def supervisor_pid(host) -> int | None:
    """Pid of the supervisor; None if there is none."""
    return next(iter(supervisor_pids(host)), None)


def supervisor_pids(host) -> list[int]:
    """Pids of all processes whose program is the supervisor: one at most. Its helpers have the same command line."""
    listed = host.run("ps", "-eo", "pid,stat,args", "-ww").stdout.splitlines()
    rows = [line.split(None, 2) for line in listed if line.endswith(" supervise")]
    return [int(pid) for pid, state, _ in rows if state[0] not in "ZX"]


def is_alive(host, pid: int) -> bool:
    """Whether a process lives."""
    return host.run("kill", "-0", str(pid), check=False).returncode == 0


def wait_for_signals(host) -> None:
    """Wait until the supervisor has loaded its program, which it executes while the container runs already."""
    mask = ["sed", "-n", "s/^SigCgt:.//p", f"/proc/{supervisor_pid(host)}/status"]
    until(lambda: int(host.run(*mask).stdout, 16) >> (signal.SIGTERM - 1) & 1, "the supervisor handles SIGTERM")


def reports_exit_status() -> bool:
    """Whether the kernel reports the exit status of a process that is no child (PIDFD_INFO_EXIT, Linux 6.15)."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(minor)) >= (6, 15)
