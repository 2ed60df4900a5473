# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out the plan of a stack: one phase after the other, and in each phase several containers at the same time."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .._container.plan.container import CreateContainer, RegisterIds, StartProcess, UpdateSpec
from .._container.subid_files import register_ids
from .._engine.engine import Run
from .._engine.locks import container_lock, ids_lock
from .._engine.parallel import Job, Outcome, run_jobs
from .._engine.paths import LOCK_DIR
from .._engine.settings import Settings
from .._errors import ConductorError, Conflict, EffectFailed
from .._kernel.flock import HeldLocks, locked
from .._network.plan.stages import NetworkStage
from .member_case import MemberCase, choose_all, read_ids_view
from .networks import apply_networks
from .plan.network import NetworkWish
from .plan.stack import ChangeNetworks, MemberAction, StackPlan, StackView
from .spec.stack import Stack
from .stack_run import finish


class Wait(NamedTuple):
    """A function that waits for a condition, and whether it ends within about a second."""

    run: Callable[[], Any]
    is_short: bool = False


# The conditions that a container fulfills some time after its start.
Waits = Mapping[str, Wait]


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
        # One that could not be stopped runs on, and needs its link.
        detached = tuple(name for name in plan.detach if name not in run.outcome.failures)
        if detached:
            self.change_networks(ChangeNetworks(detached=detached), wishes, run)
        with locked(LOCK_DIR, ids_lock(), self.settings.lock_timeout):
            self._choose_ids(cases, plan.local)
            self._in_parallel(cases, plan.local, run)
        if plan.attach:
            self.change_networks(ChangeNetworks(attached=True), wishes, run)
        self._start(cases, plan, run)

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
        own = _by_container(actions, run)
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

    def _start(self, cases: Mapping[str, MemberCase], plan: StackPlan, run: Run[StackView]) -> None:
        """Start containers in the order of their dependencies, and wait for those that others wait for."""
        own = _by_container(plan.up, run)
        if not self.starts_after_failures:
            self._fail_dependents(own, run)
        own = {name: listed for name, listed in own.items() if name not in run.outcome.failures}
        starting = {name for name, listed in own.items() if any(isinstance(one.action, StartProcess) for one in listed)}
        waits = {
            (condition, name): wait
            for name in {*starting, *self._awaited(starting, run)} - run.outcome.failures.keys()
            if name in cases
            for condition, wait in self.waits_of(cases[name], name).items()
        }
        if run.locks is not None and not all(wait.is_short for wait in waits.values()):
            # A wait may take any time, and a container may have to be stopped meanwhile.
            _release_locks(run.locks, plan)
            start: Callable[[MemberCase, list[MemberAction]], Any] = _start_if_still_planned
        else:
            start = _start_one
        jobs = {
            f"started {name}": Job(
                functools.partial(start, cases[name], listed),
                frozenset(f"{condition} {other}" for other, condition in self._dependencies(name)),
                requires_success=not self.starts_after_failures,
            )
            for name, listed in own.items()
        }
        for (condition, name), wait in waits.items():
            after = frozenset({f"started {name}"})
            jobs[f"{condition} {name}"] = Job(wait.run, after, is_waiting=True, changes_nothing=True)

        def take(job: str, outcome: Outcome) -> None:
            kind, _, name = job.partition(" ")
            _take(name, outcome, own[name] if kind == "started" else [], run)

        run_jobs(jobs, on_end=take)

    def _dependencies(self, name: str) -> tuple[tuple[str, str], ...]:
        return self.stack.members[name].depends_on if name in self.stack.members else ()

    def _fail_dependents(self, names: Iterable[str], run: Run[StackView]) -> None:
        """Make those of `names` failures that depend on a failure, and those that depend on these."""
        failed = run.outcome.failures
        left = [name for name in names if name not in failed]
        while True:
            broken = {name: other for name in left for other, _ in self._dependencies(name) if other in failed}
            if not broken:
                return
            for name, other in broken.items():
                run.outcome.fail(name, not_started(name, other))
            left = [name for name in left if name not in broken]

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


def _start_one(case: MemberCase, actions: list[MemberAction]) -> list[str]:
    run: Run[Any] = Run(None)
    for one in actions:
        try:
            case.apply(one.action, run)
        except (ConductorError, OSError):
            case.undo(one.action, run)
            raise
    return run.warnings


def _start_if_still_planned(case: MemberCase, actions: list[MemberAction]) -> list[str] | None:
    """Start a container whose lock has been released; return None if another run has done it meanwhile."""
    with contextlib.ExitStack() as stack:
        for lock in case.locks():
            stack.enter_context(locked(LOCK_DIR, lock, case.settings.lock_timeout))
        wish = replace(case.request, state="started") if case.request.state == "restarted" else case.request
        planned = case.plan_as(case.observe(), wish).actions
        left = [action for action in planned if not isinstance(action, NetworkStage)]
        if not left:
            return None
        if left != [one.action for one in actions]:
            told = f"container {case.name} was changed by another run before this one started it"
            raise Conflict(told, "run this again")
        return _start_one(case, actions)


def _release_locks(locks: HeldLocks, plan: StackPlan) -> None:
    """Release all locks but those of containers that are still to be replaced or removed, and of the images for it."""
    changing = {one.container for update in plan.updates for one in update.members}
    changing.update(plan.stand_ins, (planned.update.stand_in for planned in plan.updates))
    # Only images have shared locks.
    images = [lock for lock in locks if lock.shared] if plan.updates else []
    locks.release_all_but({*map(container_lock, changing), *images})


def _by_container(actions: Iterable[MemberAction], run: Run[StackView]) -> dict[str, list[MemberAction]]:
    """Return the actions of each container that did not fail, in order."""
    own: dict[str, list[MemberAction]] = {}
    for action in actions:
        if action.container not in run.outcome.failures:
            own.setdefault(action.container, []).append(action)
    return own


def _take(name: str, outcome: Outcome, actions: list[MemberAction], run: Run[StackView]) -> None:
    if outcome.blocked_by:
        run.outcome.fail(name, not_started(name, outcome.blocked_by.partition(" ")[2]))
    elif outcome.error is not None:
        run.outcome.fail(name, outcome.error)
    elif outcome.value is not None:
        finish(run, *actions)
        run.warnings += outcome.value
