# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running container that commands can enter, for every way in: modules, agent, host command, checks of readiness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..._engine.container_records import process_in, read_run_state
from ..._engine.paths import ContainerPaths
from ..._errors import Conflict, container_not_found
from ..._kernel.cgroup import Cgroup
from ..._kernel.processes import ProcessId
from .. import store
from ..cgroup_paths import container_cgroup
from ..seccomp.filters import filter_at
from ..spec.container import ContainerSpec
from .enter import Command
from .privileges import Confinement


@dataclass(frozen=True)
class RunningContainer:
    """A container, its first process, which has executed its program, and the path of its seccomp filter."""

    spec: ContainerSpec
    process: ProcessId
    seccomp: str

    @property
    def cgroup(self) -> Cgroup:
        return container_cgroup(self.spec.name)

    def command(
        self,
        argv: tuple[str, ...],
        user: str | None = None,
        env: Iterable[tuple[str, str]] = (),
        working_dir: str | None = None,
        login: bool = False,
    ) -> Command:
        """Return a command with the container's confinement. User, environment and directory default to its own.

        With `login`, it has the environment of a login by ssh.
        """
        return Command(
            argv=argv,
            user=user or self.spec.user,
            env=tuple({**dict(self.spec.env), **dict(env)}.items()),
            working_dir=working_dir or self.spec.working_dir,
            confinement=Confinement.of(self.spec, filter_at(self.seccomp, self.spec)),
            login=login,
        )


def running_container(paths: ContainerPaths, *timeout: float) -> RunningContainer:
    """Return the container, as soon as its first process has executed its program (within `timeout` seconds).

    Raises NotFound, Conflict if it does not run, Damaged.
    """
    spec = store.read_spec(paths)
    if spec is None:
        raise container_not_found(paths.name)
    state = read_run_state(paths) or {}
    process = process_in(state)
    if process is None or not process.wait_for_exec(*timeout):
        raise Conflict(
            f"container {paths.name} is not running", f"start {paths.name} with conductor_container state=started"
        )
    return RunningContainer(spec, process, state.get("seccomp", ""))
