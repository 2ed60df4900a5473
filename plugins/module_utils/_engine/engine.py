# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""observe -> plan -> report -> apply: how every use case is carried out, whoever asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from .._errors import ConductorError, EffectFailed
from .._kernel.flock import Lock, locked
from . import paths
from .action import Action, LeftOut, Plan, Stage
from .settings import Settings

# What a use case sees of the host, and plans from.
Observed = TypeVar("Observed")


@dataclass
class Run(Generic[Observed]):
    """All that is remembered of a run: a use case itself knows what is asked for, and no more.

    `observed`: the first look; `left_out`: why something was left undone in a container, by its name; `outcome`: what
    an action, or the wait at the end, gave for the result.
    """

    observed: Observed
    done: list[Action] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    outcome: Any = None

    def all_warnings(self) -> list[str]:
        """`warnings`, and what was left out."""
        return [*self.warnings, *(f"container {name}: {reason}" for name, reason in self.left_out.items())]


class UseCase(Protocol[Observed]):
    """What a module's noun can do. Built from the parameters, which it parses and checks (InvalidInput)."""

    settings: Settings

    def locks(self) -> Iterable[Lock]:
        """The locks that applying needs, in the order image, container, network."""

    def observe(self) -> Observed:
        """Read specs and kernel; changes nothing."""

    def plan(self, observed: Observed) -> Plan:
        """Pure. Raises InvalidInput, Conflict or NotFound where what is asked cannot be done."""

    def foresee(self, planned: Plan, observed: Observed) -> Iterable[Action]:
        """What a run of `planned` would do, with the actions of its stages. Changes nothing."""
        return planned.actions

    def stage(self, stage: Stage) -> contextlib.AbstractContextManager[Iterable[Action]]:
        """The actions of `stage`, planned now, with the lock that they need for the block.

        For those whose plans have stages.
        """
        raise AssertionError(f"a plan without stages has one: {stage!r}")

    def apply(self, action: Action, run: Run[Observed]) -> None:
        """Carry out one action. Raises LeftOut where that costs the action alone."""

    def take_back(self, action: Action, run: Run[Observed]) -> None:
        """After `action` has failed: take away what must not be left of it."""
        return None

    def again(self, run: Run[Observed]) -> tuple[Observed, Iterable[Action]]:
        """The second look, and what is still to be done as it shows."""
        observed = self.observe()
        return observed, self.plan(observed).actions

    def settle(self, run: Run[Observed]) -> None:
        """Wait for what takes its time after the last action, with no lock held; changes nothing."""
        return None

    def result(self, observed: Observed, run: Run[Observed]) -> dict[str, Any]:
        """Values for the module's result, documented in its RETURN."""


def check(case: UseCase[Observed]) -> dict[str, Any]:
    """What `perform` would report, with nothing changed."""
    run = Run(case.observe())
    plan = case.plan(run.observed)
    run.done += case.foresee(plan, run.observed)
    return _report(case, run.observed, plan, run)


def perform(case: UseCase[Observed]) -> dict[str, Any]:
    """Bring the host to what `case` wants and report it.

    Raises EffectFailed where the plan, carried out, did not lead there: the second look is what makes
    `changed` and idempotence honest.
    """
    with contextlib.ExitStack() as stack:
        for lock in case.locks():
            stack.enter_context(locked(paths.LOCK_DIR, lock, case.settings.lock_timeout))
        run = Run(case.observe())
        observed = run.observed
        plan = case.plan(observed)
        with _telling(case, plan, run, partly=True):
            for action in plan.actions:
                _carry_out(case, action, run)
        if plan.actions:
            with _telling(case, plan, run):
                observed, left = case.again(run)
                if left:
                    raise EffectFailed(f"did not converge, still to do: {'; '.join(a.describe() for a in left)}")
    # Without a lock: what is waited for may take as long as it likes, and others may want to end it.
    with _telling(case, plan, run):
        case.settle(run)
    return _report(case, observed, plan, run)


def _carry_out(case: UseCase[Observed], action: Action, run: Run[Observed]) -> None:
    try:
        with case.stage(action) if isinstance(action, Stage) else contextlib.nullcontext((action,)) as actions:
            for each in actions:
                try:
                    case.apply(each, run)
                    run.done.append(each)
                except LeftOut as error:
                    run.left_out[error.container] = error.reason
    except (ConductorError, OSError):
        # No lock of a stage is held any more. What cannot be taken back is for the next run, which finds it; this error
        # is the one to tell.
        with contextlib.suppress(ConductorError, OSError):
            case.take_back(action, run)
        raise


@contextlib.contextmanager
def _telling(case: UseCase[Observed], plan: Plan, run: Run[Observed], partly: bool = False) -> Iterator[None]:
    """For the block, have errors tell what was done before: `changed` is what happened, in failures too.

    `partly`: something of `plan` is left then.
    """
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        told = EffectFailed(f"{error.strerror or error}{where}")
        _tell(told, case, plan, run, partly)
        raise told from error
    except ConductorError as error:
        _tell(error, case, plan, run, partly)
        raise


def _tell(error: ConductorError, case: UseCase[Observed], plan: Plan, run: Run[Observed], partly: bool) -> None:
    words = [action.describe() for action in run.done]
    error.facts = {"changed": bool(words) or _has_begun(case, plan), "actions": words, **error.facts}
    if words and partly:
        error.hint = f"{error.hint}; " * bool(error.hint) + f"done before: {', '.join(words)}"


def _has_begun(case: UseCase[Observed], plan: Plan) -> bool:
    """Whether the first action has changed anything before it failed: another plan is needed now."""
    if not plan.actions:
        return False
    try:
        return case.plan(case.observe()).actions != plan.actions
    except (ConductorError, OSError):
        # Then it is better to say so than not.
        return True


def _report(case: UseCase[Observed], observed: Observed, plan: Plan, run: Run[Observed]) -> dict[str, Any]:
    return {
        "changed": bool(run.done),
        "actions": [action.describe() for action in run.done],
        "diff": {"before": plan.before, "after": plan.after},
        **case.result(observed, run),
    }
