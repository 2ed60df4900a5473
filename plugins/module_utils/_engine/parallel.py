# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run jobs at the same time, each in a process of its own, in the order of their dependencies.

Processes, not threads: jobs enter namespaces (setns(2)), which belong to a thread, and fork.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import _errors
from .._errors import ConductorError, EffectFailed
from .._kernel import syscalls

_PIECE = 1 << 16


@dataclass(frozen=True)
class Job:
    """A function that returns a value for JSON, and the names of the jobs that must have ended before.

    `requires_success`: those jobs must have succeeded. `is_waiting`: it mostly waits, so that more of them run at the
    same time than the host has CPUs. `changes_nothing`: it is killed if this process is, whose locks it would keep.
    """

    run: Callable[[], Any]
    after: frozenset[str] = frozenset()
    requires_success: bool = True
    is_waiting: bool = False
    changes_nothing: bool = False


@dataclass(frozen=True)
class Outcome:
    """The value of a job, or its error, or the name of the job whose failure prevented it."""

    value: Any = None
    error: ConductorError | None = None
    blocked_by: str = ""

    @property
    def has_succeeded(self) -> bool:
        return self.error is None and not self.blocked_by


def run_jobs(
    jobs: Mapping[str, Job],
    most: int | None = None,
    most_waiting: int = 64,
    on_end: Callable[[str, Outcome], None] | None = None,
) -> dict[str, Outcome]:
    """Run `jobs` and return the outcome of each by name.

    At most `most` processes (the number of CPUs) work, and `most_waiting` wait, at the same time. A name in `after`
    that is no job counts as done. `on_end` is called with each name and outcome as soon as it is known. Raises
    ValueError for a cycle of dependencies.
    """
    limits = {False: most or len(os.sched_getaffinity(0)), True: most_waiting}
    queue = _Queue(jobs, on_end)
    running: dict[int, _Child] = {}
    counts = {False: 0, True: 0}
    with selectors.DefaultSelector() as selector:
        try:
            while True:
                for kind, ready in queue.ready.items():
                    while ready and counts[kind] < limits[kind]:
                        name = ready.popleft()
                        child = start_job(name, jobs[name])
                        running[child.fd] = child
                        counts[kind] += 1
                        selector.register(child.fd, selectors.EVENT_READ)
                if not running:
                    break
                for key, _ in selector.select():
                    child = running[key.fd]
                    data = os.read(child.fd, _PIECE)
                    child.received += data
                    if not data:
                        selector.unregister(child.fd)
                        del running[child.fd]
                        counts[child.job.is_waiting] -= 1
                        queue.end(child.name, end_job(child))
        finally:
            for child in running.values():
                os.kill(child.pid, signal.SIGKILL)
                end_job(child)
    left = sorted(jobs.keys() - queue.outcomes.keys())
    if left:
        raise ValueError(f"jobs wait for each other: {', '.join(left)}")
    return queue.outcomes


class _Queue:
    """The order of jobs. `ready`: those that may start, by `is_waiting`; `outcomes`: of those that have ended."""

    def __init__(self, jobs: Mapping[str, Job], on_end: Callable[[str, Outcome], None] | None) -> None:
        self._jobs, self._on_end = jobs, on_end
        self.outcomes: dict[str, Outcome] = {}
        self.ready: dict[bool, deque[str]] = {False: deque(), True: deque()}
        self._open = {name: len(job.after & jobs.keys()) for name, job in jobs.items()}
        self._followers: dict[str, list[str]] = {}
        for name, job in jobs.items():
            for other in job.after & jobs.keys():
                self._followers.setdefault(other, []).append(name)
            if not self._open[name]:
                self.ready[job.is_waiting].append(name)

    def end(self, name: str, outcome: Outcome) -> None:
        """Keep the outcome of a job, and make those ready that waited for it only."""
        ended = deque([(name, outcome)])
        while ended:
            name, outcome = ended.popleft()
            self.outcomes[name] = outcome
            if self._on_end:
                self._on_end(name, outcome)
            for follower in self._followers.get(name, ()):
                self._open[follower] -= 1
                if self._open[follower]:
                    continue
                job = self._jobs[follower]
                failed = next((other for other in sorted(job.after) if self._is_failed(other)), "")
                if failed and job.requires_success:
                    ended.append((follower, Outcome(blocked_by=failed)))
                else:
                    self.ready[job.is_waiting].append(follower)

    def _is_failed(self, name: str) -> bool:
        return name in self.outcomes and not self.outcomes[name].has_succeeded


@dataclass
class _Child:
    name: str
    job: Job
    pid: int
    fd: int
    received: bytes = b""


def start_job(name: str, job: Job) -> _Child:
    fd, its = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(fd)
            if job.changes_nothing:
                syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            # The parent may have ended before.
            if os.getppid() == parent or not job.changes_nothing:
                _answer(job, its)
        finally:
            os._exit(0)
    os.close(its)
    return _Child(name, job, pid, fd)


def _answer(job: Job, fd: int) -> None:
    try:
        answer: dict[str, Any] = {"value": job.run()}
    except ConductorError as error:
        answer = {"error": [type(error).__name__, error.message, error.hint, error.facts]}
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        answer = {"error": ["EffectFailed", f"{error.strerror or error}{where}", "", {}]}
    except Exception as error:
        traceback.print_exc()
        answer = {"error": ["EffectFailed", f"internal error: {type(error).__name__}: {error}", "report it", {}]}
    with open(fd, "wb") as file:
        file.write(json.dumps(answer, default=str).encode())


def end_job(child: _Child) -> Outcome:
    os.close(child.fd)
    os.waitpid(child.pid, 0)
    try:
        answer = json.loads(child.received)
    except ValueError:
        return Outcome(error=EffectFailed("its process was killed", "run this again"))
    if "error" not in answer:
        return Outcome(answer["value"])
    kind, message, hint, facts = answer["error"]
    return Outcome(error=getattr(_errors, kind)(message, hint, **facts))
