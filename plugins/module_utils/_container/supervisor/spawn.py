# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creation of a supervisor: forked by a module into the supervisors' cgroup, then replaced by a small program."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..._engine import bundle
from ..._engine.container_records import write_run_state
from ..._engine.paths import ContainerPaths
from ..._errors import EffectFailed
from ..._kernel.processes import ProcessId
from ..cgroup_paths import supervisors_cgroup
from ..exec.privileges import close_other_descriptors
from .supervise import block_signals, exec_bundle


def spawn_supervisor(body: Callable[[], None]) -> None:
    """Run `body`, which ends with `exec_supervisor`, in a child that outlives the session.

    The child is not waited for: pid 1 adopts it as soon as the module exits.
    """
    cgroup = supervisors_cgroup()
    cgroup.create()
    entry = cgroup.open()
    caller = os.getpid()
    try:
        if entry.fork() == 0:
            entry.join()
            block_signals()
            os.setsid()
            body()
    finally:
        # The child must never return into the code of the module.
        if os.getpid() != caller:
            os._exit(1)
    entry.close()


def exec_supervisor(paths: ContainerPaths, directory: str) -> None:
    """Execute the small supervisor program. The process stays the parent of the container's first process."""
    exec_bundle(directory, "supervise", os.path.dirname(paths.directory), paths.name)


def detach(keep: set[int]) -> None:
    """Close all inherited descriptors except `keep`, locks among them, and open /dev/null as 0, 1 and 2."""
    close_other_descriptors(keep)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def start_new_supervisor(paths: ContainerPaths, state: dict) -> None:
    """Start a new supervisor for a running container whose supervisor was killed. Raises EffectFailed.

    The new supervisor is not the parent of the first process, so that it cannot get its exit status.
    """
    directory = bundle.current()
    reader, writer = os.pipe()
    spawn_supervisor(lambda: _adopted(paths, state, directory, writer))
    os.close(writer)
    with open(reader, "rb") as pipe:
        if pipe.read() != b"adopted":
            raise EffectFailed(f"container {paths.name}: a new supervisor did not start")


def _adopted(paths: ContainerPaths, state: dict, directory: str, writer: int) -> None:
    """Body of a supervisor that is not the parent of the first process."""
    detach({writer})
    own = ProcessId.of_self()
    write_run_state(paths, {**state, "supervisor": {"pid": own.pid, "start_time": own.start_time}})
    os.write(writer, b"adopted")
    # All descriptors are close-on-exec.
    exec_supervisor(paths, directory)
