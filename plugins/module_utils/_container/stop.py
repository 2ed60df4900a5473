# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping a container, gracefully and never in vain, and taking away what it used of the host."""

from __future__ import annotations

import contextlib
import os
import signal

from .._engine.paths import ContainerPaths
from .._errors import EffectFailed
from .._kernel import network_namespace
from .._kernel.cgroup import Cgroup
from .._kernel.files.atomic_write import clear_abandoned
from .._kernel.processes import ProcessId
from .._kernel.terminate import ask_to_end, send, wait_ended
from .cgroup_paths import cgroup_of
from .rootfs import is_mounted, unmount_rootfs

# A killed process is gone when the kernel has freed what it held; this bounds the wait for a disk that hangs.
_KILL_TIMEOUT = 30.0


def stop_process(process: ProcessId, stop_signal: int, timeout: float) -> None:
    """End the first process, and with it, as it is pid 1, every other one inside.

    `stop_signal` first, then SIGKILL after `timeout` seconds; see `ask_to_end`. Raises EffectFailed.
    """
    pidfd = process.open()
    if pidfd is None:
        return
    try:
        ask_to_end(pidfd, process.pid, stop_signal, timeout)
        if not wait_ended(pidfd, _KILL_TIMEOUT):
            raise EffectFailed(f"process {process.pid} does not end after SIGKILL", "look for a hanging disk or mount")
    finally:
        os.close(pidfd)


def kill_all(cgroup: Cgroup) -> None:
    """End all processes of a container whose run state does not tell which is the first. Raises EffectFailed."""
    cgroup.kill()
    for pid in cgroup.processes():
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            # Still there, now that the descriptor holds it: the pid has not passed to another process.
            if pid in cgroup.processes():
                send(pidfd, signal.SIGKILL)
                if not wait_ended(pidfd, _KILL_TIMEOUT):
                    raise EffectFailed(f"process {pid} does not end after SIGKILL", "look for a hanging disk or mount")
        finally:
            os.close(pidfd)


def wait_supervisor(supervisor: ProcessId | None) -> None:
    """Wait until the supervisor has written down the exit and ended; end it where it does not (it sleeps, say)."""
    pidfd = supervisor.open() if supervisor else None
    if pidfd is None:
        return
    try:
        if not wait_ended(pidfd, 2.0):
            send(pidfd, signal.SIGKILL)
            wait_ended(pidfd, _KILL_TIMEOUT)
    finally:
        os.close(pidfd)


def leftovers(paths: ContainerPaths) -> tuple[str, ...]:
    """What a start prepared, or a process that ended left: in the words of a user."""
    found = {
        "root file system": is_mounted(paths),
        "network namespace": os.path.lexists(paths.netns),
        "cgroup": cgroup_of(paths.name).exists(),
        "run state": os.path.lexists(paths.run_state),
    }
    return tuple(name for name, there in found.items() if there)


def clean_up(paths: ContainerPaths) -> None:
    """Take away all that `leftovers` finds. No process of the container may be left, and no link (DetachNetwork)."""
    network_namespace.remove(paths.netns)
    unmount_rootfs(paths)
    cgroup_of(paths.name).remove()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(paths.run_state)
        clear_abandoned(os.path.dirname(paths.run_state))
