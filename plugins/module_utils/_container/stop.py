# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop of a container: its stop signal, then SIGKILL, then removal of its mounts, namespaces and cgroup."""

from __future__ import annotations

import contextlib
import os
import signal

from .._engine.paths import ContainerPaths
from .._errors import EffectFailed
from .._kernel import network_namespace
from .._kernel.cgroup import Cgroup
from .._kernel.files.atomic_write import remove_stale_temporaries
from .._kernel.processes import ProcessId
from .._kernel.terminate import send_signal, terminate, wait_for_exit
from .cgroup_paths import container_cgroup
from .rootfs import is_mounted, unmount_rootfs
from .supervisor.requests import remove_stale_socket

# Seconds. A killed process ends when the kernel has freed its resources; a hanging disk delays that without limit.
_KILL_TIMEOUT = 30.0
_SEE_DISK = "check the host for a hanging disk or mount"


def stop_process(process: ProcessId, stop_signal: int, timeout: float) -> None:
    """End the first process, and with it all other processes inside, since it is pid 1.

    Sends `stop_signal`, then SIGKILL after `timeout` seconds; see `terminate`. Raises EffectFailed if the process does
    not end within 30 seconds after SIGKILL.
    """
    pidfd = process.open()
    if pidfd is None:
        return
    try:
        terminate(pidfd, process.pid, stop_signal, timeout)
        if not wait_for_exit(pidfd, _KILL_TIMEOUT):
            raise EffectFailed(f"process {process.pid} does not end after SIGKILL", _SEE_DISK)
    finally:
        os.close(pidfd)


def kill_all(cgroup: Cgroup) -> None:
    """Kill all processes in the cgroup of a container whose run state is damaged or missing. Raises EffectFailed."""
    cgroup.kill()
    for pid, pidfd in cgroup.hold(cgroup.processes()):
        send_signal(pidfd, signal.SIGKILL)
        if not wait_for_exit(pidfd, _KILL_TIMEOUT):
            raise EffectFailed(f"process {pid} does not end after SIGKILL", _SEE_DISK)


def find_leftovers(paths: ContainerPaths) -> tuple[str, ...]:
    """Names, for users, of what a start has prepared or a process has left behind."""
    found = {
        "root file system": is_mounted(paths),
        "network namespace": os.path.lexists(paths.netns),
        "cgroup": container_cgroup(paths.name).exists(),
        "run state": os.path.lexists(paths.run_state),
    }
    return tuple(name for name, exists in found.items() if exists)


def clean_up(paths: ContainerPaths) -> None:
    """Remove all that `leftovers` finds. Requires that the container has no process and no link (DetachNetwork)."""
    network_namespace.remove(paths.netns)
    unmount_rootfs(paths)
    container_cgroup(paths.name).remove()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(paths.run_state)
        remove_stale_temporaries(os.path.dirname(paths.run_state))
        remove_stale_socket()
