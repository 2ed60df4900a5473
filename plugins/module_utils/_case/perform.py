# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""observe -> plan -> report -> apply: how every use case is carried out, whoever asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from .._errors import ConductorError, EffectFailed
from .._linux.locks import Lock, locked
from .._model import layout
from .._plan.action import Action, Plan
from .._store.settings import Settings


class UseCase(Protocol):
    """What a module's noun can do. Built from the parameters, which it parses and checks (InvalidInput)."""

    settings: Settings

    def locks(self) -> Iterable[Lock]:
        """The locks that applying needs, in the order image, container, network."""

    def observe(self) -> Any:
        """Read specs and kernel; changes nothing."""

    def plan(self, observed: Any) -> Plan:
        """Pure. Raises InvalidInput, Conflict or NotFound where what is asked cannot be done."""

    def apply(self, action: Action) -> None:
        """Carry out one action."""

    def settle(self) -> None:
        """Wait for what takes its time after the last action, with no lock held; changes nothing."""

    def result(self, observed: Any) -> dict:
        """Values for the module's result, documented in its RETURN."""


def check(case: UseCase) -> dict:
    """What `perform` would report, with nothing changed."""
    observed = case.observe()
    return _report(case, observed, case.plan(observed))


def perform(case: UseCase) -> dict:
    """Bring the host to what `case` wants and report it.

    Raises EffectFailed where the plan, carried out, did not lead there: the second look is what makes
    `changed` and idempotence honest.
    """
    with contextlib.ExitStack() as stack:
        for lock in case.locks():
            stack.enter_context(locked(layout.LOCK_DIR, lock, case.settings.lock_timeout))
        observed = case.observe()
        plan = case.plan(observed)
        done: list[Action] = []
        with _telling(case, plan, done):
            for action in plan.actions:
                case.apply(action)
                done.append(action)
            if plan.actions:
                observed = case.observe()
                left = case.plan(observed).actions
                if left:
                    raise EffectFailed(f"did not converge, still to do: {'; '.join(a.describe() for a in left)}")
    # Without a lock: what is waited for may take as long as it likes, and others may want to end it.
    with _telling(case, plan, done):
        case.settle()
    return _report(case, observed, plan)


@contextlib.contextmanager
def _telling(case: UseCase, plan: Plan, done: list[Action]) -> Iterator[None]:
    """For the block, have errors tell what was `done` of `plan` before: `changed` is what happened, in failures too."""
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        told = EffectFailed(f"{error.strerror or error}{where}")
        _tell(told, case, plan, done)
        raise told from error
    except ConductorError as error:
        _tell(error, case, plan, done)
        raise


def _tell(error: ConductorError, case: UseCase, plan: Plan, done: list[Action]) -> None:
    words = [action.describe() for action in done]
    error.facts = {"changed": bool(done) or _has_begun(case, plan), "actions": words, **error.facts}
    if words and len(done) < len(plan.actions):
        error.hint = f"{error.hint}; " * bool(error.hint) + f"done before: {', '.join(words)}"


def _has_begun(case: UseCase, plan: Plan) -> bool:
    """Whether the first action has changed anything before it failed: another plan is needed now."""
    if not plan.actions:
        return False
    try:
        return case.plan(case.observe()).actions != plan.actions
    except (ConductorError, OSError):
        # Then it is better to say so than not.
        return True


def _report(case: UseCase, observed: Any, plan: Plan) -> dict:
    return {
        "changed": bool(plan.actions),
        "actions": [action.describe() for action in plan.actions],
        "diff": {"before": plan.before, "after": plan.after},
        **case.result(observed),
    }
