# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out the plan of a stack: one phase after the other, and in each phase several containers at the same time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .._container.plan.container import CreateContainer, RegisterIds, StartProcess, UpdateSpec
from .._container.subid_files import register_ids
from .._engine.engine import Run
from .._engine.locks import ids_lock
from .._engine.parallel import Job, Outcome, run_jobs
from .._engine.paths import LOCK_DIR
from .._engine.settings import Settings
from .._errors import ConductorError, EffectFailed
from .._kernel.flock import locked
from .member_case import MemberCase, choose_all, read_ids_view
from .networks import apply_networks
from .plan.network import NetworkWish
from .plan.stack import ChangeNetworks, MemberAction, StackPlan, StackView
from .spec.stack import Stack
from .stack_run import finish

# The conditions that a container fulfills some time after its start, each with a function that waits for it.
Waits = Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class Phases:
    """The effects of a plan. `waits_of`: the conditions for which a start waits.

    `starts_after_failures`: containers are started even if others failed that they depend on.
    """

    settings: Settings
    stack: Stack
    waits_of: Callable[[MemberCase, str], Waits]
    starts_after_failures: bool = False

    def carry_out(
        self,
        plan: StackPlan,
        cases: Mapping[str, MemberCase],
        wishes: Mapping[str, NetworkWish],
        run: Run[StackView],
    ) -> None:
        """Carry out `plan`, add its actions to `run.done`, and the errors of containers to `run.outcome`."""
        if plan.register:
            register_ids(plan.register, self.settings.lock_timeout)
            finish(run, RegisterIds(plan.register))
        self._in_parallel(cases, plan.down, run, self._stopped_before)
        if plan.detach:
            self.change_networks(ChangeNetworks(detached=plan.detach), wishes, run)
        with locked(LOCK_DIR, ids_lock(), self.settings.lock_timeout):
            self._choose_ids(cases, plan.local)
            self._in_parallel(cases, plan.local, run)
        if plan.attach:
            self.change_networks(ChangeNetworks(attached=True), wishes, run)
        self._start(cases, plan.up, run)

    def change_networks(self, change: ChangeNetworks, wishes: Mapping[str, NetworkWish], run: Run[StackView]) -> None:
        """Carry out `change` for the containers that did not fail."""
        sound = {name: wish for name, wish in wishes.items() if name not in run.outcome.failures}
        apply_networks(self.settings, change, sound, run)

    def _choose_ids(self, cases: Mapping[str, MemberCase], actions: Iterable[MemberAction]) -> None:
        new = {
            one.container: one.action.spec
            for one in actions
            if isinstance(one.action, CreateContainer)
            or (isinstance(one.action, UpdateSpec) and "userns" in one.action.options)
        }
        if new:
            for name, ids in choose_all(new, read_ids_view(self.settings)).items():
                cases[name].ids = ids

    def _stopped_before(self, name: str) -> Iterable[str]:
        """Return the members that are stopped before `name`, because they depend on it."""
        return (other for other, member in self.stack.members.items() if name in dict(member.depends_on))

    def _in_parallel(
        self,
        cases: Mapping[str, MemberCase],
        actions: Iterable[MemberAction],
        run: Run[StackView],
        after: Callable[[str], Iterable[str]] | None = None,
    ) -> None:
        """Carry out the actions of each container in order, those of several containers at the same time."""
        own: dict[str, list[MemberAction]] = {}
        for action in actions:
            if action.container not in run.outcome.failures:
                own.setdefault(action.container, []).append(action)
        jobs = {
            name: Job(
                functools.partial(_apply_all, cases[name], listed),
                frozenset(after(name) if after else ()),
                requires_success=False,
                is_waiting=after is not None,
            )
            for name, listed in own.items()
        }
        run_jobs(jobs, on_end=lambda name, outcome: _take(name, outcome, own[name], run))

    def _start(self, cases: Mapping[str, MemberCase], actions: Iterable[MemberAction], run: Run[StackView]) -> None:
        """Start containers in the order of their dependencies, and wait for those that others wait for."""
        own = {one.container: one for one in actions}
        starting = {name for name, one in own.items() if isinstance(one.action, StartProcess)}
        failed = run.outcome.failures
        jobs = {}
        for name, one in own.items():
            if name in failed:
                continue
            depends_on = self.stack.members[name].depends_on if name in self.stack.members else ()
            after = [f"{condition} {other}" for other, condition in depends_on]
            broken = next((other for other, _ in depends_on if other in failed), None)
            if broken and not self.starts_after_failures:
                run.outcome.fail(name, not_started(name, broken))
                continue
            start = functools.partial(_start_one, cases[name], one)
            jobs[f"started {name}"] = Job(start, frozenset(after), requires_success=not self.starts_after_failures)
        for name in {*starting, *self._awaited(starting, run)} - failed.keys():
            for condition, function in self.waits_of(cases[name], name).items() if name in cases else ():
                jobs[f"{condition} {name}"] = Job(function, frozenset({f"started {name}"}), is_waiting=True)

        def take(job: str, outcome: Outcome) -> None:
            kind, _, name = job.partition(" ")
            _take(name, outcome, [own[name]] if kind == "started" else [], run)

        run_jobs(jobs, on_end=take)

    def _awaited(self, starting: Iterable[str], run: Run[StackView]) -> set[str]:
        """Return the members for which those in `starting` wait."""
        return {
            other
            for name in starting
            if name in self.stack.members
            for other, condition in self.stack.members[name].depends_on
            if condition == "ready" or (condition == "completed" and other not in run.observed.completed)
        }


def not_started(name: str, broken: str) -> EffectFailed:
    """Return the error of a container that was not started, since it depends on the failed one `broken`."""
    return EffectFailed(f"container {name} was not started: {broken}, on which it depends, failed")


def _apply_all(case: MemberCase, actions: list[MemberAction]) -> list[str]:
    """Carry out actions of one container, in a process of their own; return the warnings."""
    run: Run[Any] = Run(None)
    for one in actions:
        case.apply(one.action, run)
    return run.warnings


def _start_one(case: MemberCase, one: MemberAction) -> list[str]:
    run: Run[Any] = Run(None)
    try:
        case.apply(one.action, run)
    except (ConductorError, OSError):
        case.undo(one.action, run)
        raise
    return run.warnings


def _take(name: str, outcome: Outcome, actions: list[MemberAction], run: Run[StackView]) -> None:
    if outcome.blocked_by:
        run.outcome.fail(name, not_started(name, outcome.blocked_by.partition(" ")[2]))
    elif outcome.error is not None:
        run.outcome.fail(name, outcome.error)
    else:
        finish(run, *actions)
        run.warnings += outcome.value or ()
