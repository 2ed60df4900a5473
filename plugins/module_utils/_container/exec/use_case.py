# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_exec: run a command in a running container."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from ..._engine.action import Action, Plan
from ..._engine.engine import Run, UseCase
from ..._engine.id_range import END
from ..._engine.names import parse_name
from ..._engine.paths import ContainerPaths
from ..._engine.settings import Settings
from ..._engine.sizes import parse_size
from ..._errors import Conflict, EffectFailed, InvalidInput, NotFound, mark_pending
from ..._kernel.cgroup import Cgroup
from ..._kernel.files.glob_within_root import TooManyEntries, pattern_exists
from ..._kernel.flock import Lock
from ..._kernel.processes import ProcessId
from ..error_context import about_container
from ..id_ranges import read_ids
from ..spec.container import ContainerSpec
from ..spec.mounts import parse_path
from ..spec.values import parse_argv, parse_env, parse_user
from ..users import require_ids, resolve_user
from .bounded_output import Head
from .enter import Command, container_stopped_error, is_ending
from .run_inside import OUTPUT_LIMIT, Outcome, run_inside, start_inside
from .running import RunningContainer, running_container

# Seconds that fit into every timeout of the system.
_MAX_TIMEOUT = 1e9
_MAX_OUTPUT = 1 << 30


@dataclass(frozen=True)
class RunCommand(Action):
    container: str
    argv: tuple[str, ...]

    def describe(self) -> str:
        return f"run {shlex.join(self.argv)} in container {self.container}"


@dataclass(frozen=True)
class Observed:
    """The container, and the reason to skip the command ("" if it must run)."""

    container: RunningContainer
    skip_reason: str


@dataclass(frozen=True)
class CommandRun:
    """The outcome of the command (its pid if it was detached), and the times at which it began and ended."""

    outcome: Outcome | int
    begin: datetime
    end: datetime


class ExecCase(UseCase[Observed]):
    """The module's parameters, parsed; see UseCase in _engine/engine.py."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.name = parse_name(params["container"], "container")
        self.paths = ContainerPaths.of(settings.container_dir, self.name)
        self.argv = _argv(params)
        self.stdin = _stdin(params)
        self.env = parse_env(params["env"] or {}, "env")
        self.chdir = parse_path(params["chdir"], "chdir") if params["chdir"] is not None else None
        self.user = parse_user(params["user"], "user") if params["user"] is not None else None
        self.creates, self.removes = (
            parse_path(params[name], name) if params[name] is not None else None for name in ("creates", "removes")
        )
        self.timeout = params["timeout"]
        if self.timeout is not None and not 0 < self.timeout < _MAX_TIMEOUT:
            raise InvalidInput(
                f"{self.name}: timeout {self.timeout:g} is not a valid number of seconds", "set it to more than 0"
            )
        # Begins here, since processes inside can delay every following step.
        self.deadline = None if self.timeout is None else time.monotonic() + self.timeout
        self.output_limit = _output_limit(params.get("output_limit"))
        self.detach = params["detach"]
        if self.detach and (self.timeout is not None or params["stdin"] is not None):
            raise InvalidInput(
                f"{self.name}: detach is mutually exclusive with timeout and stdin", "leave out timeout and stdin"
            )

    def locks(self) -> Iterable[Lock]:
        # No lock: a command can run for any time, and others in parallel.
        return ()

    def observe(self) -> Observed:
        with about_container(self.name):
            return self._observe()

    def _observe(self) -> Observed:
        try:
            container = running_container(self.paths, *self._left())
        except (NotFound, Conflict) as error:
            raise mark_pending(error) from None
        try:
            skip_reason = self._guard(container.spec, f"/proc/{container.process.pid}/root")
        except (InvalidInput, OSError):
            # The root of a process that has just ended is empty.
            if is_ending(container.process):
                raise container_stopped_error() from None
            raise
        return Observed(container, skip_reason)

    def _left(self) -> tuple[float, ...]:
        return () if self.deadline is None else (max(0.0, self.deadline - time.monotonic()),)

    def _guard(self, spec: ContainerSpec, root: str) -> str:
        """The reason to skip the command, or "". Raises InvalidInput if its user does not exist in `root`."""
        if self.creates and _exists_inside(root, self.creates, "creates"):
            return f"skipped, since {self.creates} exists"
        if self.removes and not _exists_inside(root, self.removes, "removes"):
            return f"skipped, since {self.removes} does not exist"
        user, ids = self.user or spec.user, read_ids(self.paths)
        require_ids(user, resolve_user(user, [root]), ids.size if ids else END)
        return ""

    def plan(self, observed: Observed) -> Plan:
        if observed.skip_reason:
            return Plan()
        return Plan((RunCommand(self.name, self.argv),))

    def apply(self, action: Action, run: Run[Observed]) -> None:
        with about_container(self.name):
            # Observed again: the container may have been restarted since the plan.
            container = self._observe().container
            command = container.command(self.argv, self.user, self.env, self.chdir)
            begin = datetime.now()
            outcome = self.run(container.process, container.cgroup, command)
            run.outcome = CommandRun(outcome, begin, datetime.now())

    def run(self, process: ProcessId, cgroup: Cgroup, command: Command) -> Outcome | int:
        """Run `command` in the container of `process` to its end; with detach, start it and return its pid."""
        if self.detach:
            return start_inside(process, cgroup, command, self.paths.log)
        return run_inside(process, cgroup, command, self.stdin, self.deadline, partial(Head, self.output_limit))

    def observe_again(self, run: Run[Observed]) -> tuple[Observed, Iterable[Action]]:
        # Not observed again: the command may have stopped the container, or created the path in `creates`.
        return run.observed, ()

    def wait_for_completion(self, run: Run[Observed]) -> None:
        """Raises EffectFailed, with all values of the result, if the command did not exit with 0."""
        if run.outcome is None or self.detach or run.outcome.outcome.rc == 0:
            return
        facts = {"changed": True, **self._facts(run.outcome)}
        if run.outcome.outcome.rc is None:
            raise EffectFailed(
                f"container {self.name}: {shlex.join(self.argv)} ran longer than {self.timeout:g} s and was killed",
                "set a longer timeout",
                **facts,
            )
        raise EffectFailed(f"container {self.name}: non-zero return code", **facts)

    def predicted_result(self) -> dict:
        """The result in check mode if an earlier task of the play would create what this one needs."""
        return {"actions": [RunCommand(self.name, self.argv).describe()], "cmd": list(self.argv), **self._facts(None)}

    def result(self, observed: Observed, run: Run[Observed]) -> dict:
        reason = {"msg": observed.skip_reason} if observed.skip_reason else {}
        return {"cmd": list(self.argv), **self._facts(run.outcome), **reason}

    def _facts(self, ran: CommandRun | None) -> dict:
        if ran is None:
            return {
                "rc": 0 if not self.detach else None,
                "stdout": "",
                "stderr": "",
                "stdout_lines": [],
                "stderr_lines": [],
                "stdout_truncated": False,
                "stderr_truncated": False,
                **({"pid": None} if self.detach else {}),
            }
        times = {"start": str(ran.begin), "end": str(ran.end), "delta": str(ran.end - ran.begin)}
        common, outcome = {"cmd": list(self.argv), **times}, ran.outcome
        if isinstance(outcome, int):
            return {**common, "pid": outcome, "rc": None}
        stdout, stderr = (
            text.decode("utf-8", errors="surrogateescape").rstrip("\r\n") for text in (outcome.stdout, outcome.stderr)
        )
        lines = {"stdout_lines": stdout.splitlines(), "stderr_lines": stderr.splitlines()}
        facts = {**common, "rc": outcome.rc, "stdout": stdout, "stderr": stderr, **lines}
        for stream in ("stdout", "stderr"):
            facts[f"{stream}_truncated"] = getattr(outcome, f"{stream}_truncated")
        cut = [stream for stream in ("stdout", "stderr") if facts[f"{stream}_truncated"]]
        if cut:
            facts["warnings"] = [
                f"container {self.name}: {' and '.join(cut)} has more than {self.output_limit} bytes (output_limit); "
                "the rest was discarded"
            ]
        return facts


def _output_limit(value: object) -> int:
    if value is None:
        return OUTPUT_LIMIT
    limit = parse_size(value, "output_limit")
    if not 0 < limit <= _MAX_OUTPUT:
        raise InvalidInput(
            f"output_limit {value!r} is not in the range of 1 byte to 1g",
            "redirect the output to a file and copy that",
        )
    return limit


def _argv(params: dict) -> tuple[str, ...]:
    for option in ("cmd", "argv"):
        if params[option] is not None:
            return parse_argv(params[option], option)
    if params["stdin"] is None:
        raise InvalidInput(f"{params['container']}: no command is given", "set argv or cmd, or stdin to run /bin/bash")
    return ("/bin/bash",)


def _stdin(params: dict) -> bytes:
    if params["stdin"] is None:
        return b""
    text = params["stdin"]
    if params["stdin_add_newline"] and not text.endswith("\n"):
        text += "\n"
    return text.encode("utf-8", errors="surrogateescape")


def _exists_inside(root: str, pattern: str, option: str) -> bool:
    """Whether a path or glob pattern exists in the container with this `root`. Raises InvalidInput."""
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return pattern_exists(root_fd, pattern)
    except TooManyEntries:
        raise InvalidInput(f"{option} {pattern}: too many files to search", "give a path without a pattern") from None
    finally:
        os.close(root_fd)
