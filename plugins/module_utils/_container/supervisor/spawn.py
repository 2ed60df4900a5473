# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a process comes to be a supervisor: forked from a module into the supervisors' cgroup, then the small program."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..._engine import bundle
from ..._engine.container_records import write_run_state
from ..._engine.paths import ContainerPaths
from ..._errors import EffectFailed
from ..._kernel.processes import ProcessId
from ..cgroup_paths import cgroup_of_supervisors
from ..exec.privileges import close_others
from .supervise import exec_bundle, hold_signals


def spawn_supervisor(body: Callable[[], None]) -> None:
    """Run `body`, which ends by `exec_supervisor`, in a child that no end of a session concerns.

    Not waited for: it outlives us and then is pid 1's child, which every module run leads to at once.
    """
    cgroup = cgroup_of_supervisors()
    cgroup.create()
    entry = cgroup.open()
    caller = os.getpid()
    try:
        if entry.fork() == 0:
            entry.join()
            hold_signals()
            os.setsid()
            body()
    finally:
        # Whatever happened to it, it must not go on as the module once more.
        if os.getpid() != caller:
            os._exit(1)
    entry.close()


def exec_supervisor(paths: ContainerPaths, directory: str) -> None:
    """Become the small supervisor: the same process, hence still the parent of the first process."""
    exec_bundle(directory, "supervise", os.path.dirname(paths.directory), paths.name)


def detach(keep: set[int]) -> None:
    """Let go of all that came from the module's process, locks above all, but of `keep`; 0, 1, 2 become /dev/null."""
    close_others(keep)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def adopt(paths: ContainerPaths, state: dict) -> None:
    """Give a running container, whose supervisor was killed, a new one. It cannot learn the exit status any more.

    Raises EffectFailed.
    """
    directory = bundle.current()
    reader, writer = os.pipe()
    spawn_supervisor(lambda: _adopted(paths, state, directory, writer))
    os.close(writer)
    with open(reader, "rb") as pipe:
        if pipe.read() != b"adopted":
            raise EffectFailed(f"container {paths.name} could not be given a supervisor")


def _adopted(paths: ContainerPaths, state: dict, directory: str, writer: int) -> None:
    """Body of a supervisor that is not the parent of the first process."""
    detach({writer})
    own = ProcessId.own()
    write_run_state(paths, {**state, "supervisor": {"pid": own.pid, "start_time": own.start_time}})
    os.write(writer, b"adopted")
    # All are close-on-exec.
    exec_supervisor(paths, directory)
