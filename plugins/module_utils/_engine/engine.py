# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a use case: observe -> plan -> apply -> report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from .._errors import ConductorError, EffectFailed
from .._kernel.flock import HeldLocks, Lock
from . import paths
from .action import Action, ActionSkipped, Plan, Stage
from .settings import Settings

# The state of the host that a use case observes and plans from.
Observed = TypeVar("Observed")


@dataclass
class Run(Generic[Observed]):
    """The state of a run. The use case itself holds only the request.

    `observed`: the first observation; `skipped`: reasons of skipped actions by the container's name; `outcome`: values
    for the result from an action or from the wait at the end; `locks`: those of the use case, until they are released.
    """

    observed: Observed
    done: list[Action] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    outcome: Any = None
    locks: HeldLocks | None = None

    def all_warnings(self) -> list[str]:
        """Return `warnings` and the skipped actions."""
        return [*self.warnings, *(f"container {name}: {reason}" for name, reason in self.skipped.items())]


class UseCase(Protocol[Observed]):
    """The request of a module. Built from the parameters, which it parses and validates (InvalidInput)."""

    settings: Settings

    def prepare(self) -> Iterable[Action]:
        """Bring about what the locks and the observation require; return the actions that were done. With no lock."""
        return ()

    def locks(self) -> Iterable[Lock]:
        """Return the locks that `apply` needs, in the order image, container, network."""

    def observe(self) -> Observed:
        """Read specs and kernel state. Changes nothing."""

    def plan(self, observed: Observed) -> Plan:
        """Return the plan; a pure function. Raises InvalidInput, Conflict or NotFound if the request is impossible."""

    def predict(self, planned: Plan, observed: Observed) -> Iterable[Action]:
        """Return the actions of a run of `planned`, including those of its stages. Changes nothing."""
        return planned.actions

    def stage(self, stage: Stage) -> contextlib.AbstractContextManager[Iterable[Action]]:
        """Plan the actions of `stage` now; hold the lock that they need for the block.

        Only for use cases with stages in their plans.
        """
        raise AssertionError(f"a plan without stages has one: {stage!r}")

    def apply(self, action: Action, run: Run[Observed]) -> None:
        """Apply one action. Raises LeftOut if only this action must be skipped."""

    def carry_out(self, plan: Plan, run: Run[Observed]) -> None:
        """Apply the actions of `plan`, one after the other, and add each to `run.done`."""
        for action in plan.actions:
            apply_action(self, action, run)

    def undo(self, action: Action, run: Run[Observed]) -> None:
        """Undo the parts of the failed `action` that must not remain."""
        return None

    def observe_again(self, run: Run[Observed]) -> tuple[Observed, Iterable[Action]]:
        """Observe again; return the observation and the remaining actions."""
        observed = self.observe()
        return observed, self.plan(observed).actions

    def wait_for_completion(self, run: Run[Observed]) -> None:
        """Wait for the effects of the last action, with no lock held. Changes nothing."""
        return None

    def result(self, observed: Observed, run: Run[Observed]) -> dict[str, Any]:
        """Return the values of the module's result that its RETURN documents."""


def check(case: UseCase[Observed]) -> dict[str, Any]:
    """Return the report of `perform` without changing anything."""
    run = Run(case.observe())
    plan = case.plan(run.observed)
    run.done += case.predict(plan, run.observed)
    return _report(case, run.observed, plan, run)


def perform(case: UseCase[Observed]) -> dict[str, Any]:
    """Bring the host to the requested state of `case` and return the report.

    Raises EffectFailed if a second observation shows that the applied plan did not reach that state. That check makes
    `changed` and idempotence reliable.
    """
    prepared = list(case.prepare())
    with _with_prepared(prepared), HeldLocks(paths.LOCK_DIR, case.settings.lock_timeout) as locks:
        locks.acquire(case.locks())
        run = Run(case.observe(), prepared, locks=locks)
        observed = run.observed
        plan = case.plan(observed)
        with _with_progress(case, plan, run, partly=True):
            case.carry_out(plan, run)
        if plan.actions:
            with _with_progress(case, plan, run):
                observed, left = case.observe_again(run)
                if left:
                    remaining = "; ".join(action.describe() for action in left)
                    raise EffectFailed(f"did not converge: these actions are still required: {remaining}")
    # Without a lock: the wait may take any time, and another run may have to stop the container meanwhile.
    with _with_progress(case, plan, run):
        case.wait_for_completion(run)
    return _report(case, observed, plan, run)


def apply_action(case: UseCase[Observed], action: Action, run: Run[Observed]) -> None:
    """Apply `action`, with those that it stands for if it is a stage. Undoes it and raises if it fails."""
    try:
        with case.stage(action) if isinstance(action, Stage) else contextlib.nullcontext((action,)) as actions:
            for each in actions:
                try:
                    case.apply(each, run)
                    run.done.append(each)
                except ActionSkipped as error:
                    # Later actions for the container fail because of the first.
                    run.skipped.setdefault(error.container, error.reason)
    except (ConductorError, OSError):
        # The lock of the stage is released here. If the undo fails, the next run finds the rest; report this error.
        with contextlib.suppress(ConductorError, OSError):
            case.undo(action, run)
        raise


@contextlib.contextmanager
def _with_prepared(prepared: list[Action]) -> Iterator[None]:
    """Add the actions of `prepare` to the errors of the block."""
    try:
        yield
    except ConductorError as error:
        if prepared and "actions" not in error.facts:
            error.facts |= {"changed": True, "actions": [action.describe() for action in prepared]}
        raise


@contextlib.contextmanager
def _with_progress(case: UseCase[Observed], plan: Plan, run: Run[Observed], partly: bool = False) -> Iterator[None]:
    """Add the completed actions and `changed` to the errors of the block.

    `partly`: after such an error, a part of `plan` is not applied.
    """
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        failed = EffectFailed(f"{error.strerror or error}{where}")
        _add_progress(failed, case, plan, run, partly)
        raise failed from error
    except ConductorError as error:
        _add_progress(error, case, plan, run, partly)
        raise


def _add_progress(error: ConductorError, case: UseCase[Observed], plan: Plan, run: Run[Observed], partly: bool) -> None:
    done = [action.describe() for action in run.done]
    error.facts = {"changed": bool(done) or _has_begun(case, plan), "actions": done, **error.facts}
    if done and partly:
        error.hint = f"{error.hint}; " * bool(error.hint) + f"done before: {', '.join(done)}"


def _has_begun(case: UseCase[Observed], plan: Plan) -> bool:
    """Return whether the first action changed anything before it failed, so that a different plan is required now."""
    if not plan.actions:
        return False
    try:
        return case.plan(case.observe()).actions != plan.actions
    except (ConductorError, OSError):
        # Unknown: report a change rather than miss one.
        return True


def _report(case: UseCase[Observed], observed: Observed, plan: Plan, run: Run[Observed]) -> dict[str, Any]:
    return {
        "changed": bool(run.done),
        "actions": [action.describe() for action in run.done],
        "diff": {"before": plan.before, "after": plan.after},
        **case.result(observed, run),
    }
