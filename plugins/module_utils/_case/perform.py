# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""observe -> plan -> report -> apply: how every use case is carried out, whoever asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, Protocol

from .._errors import EffectFailed
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
        for action in plan.actions:
            case.apply(action)
        if plan.actions:
            observed = case.observe()
            left = case.plan(observed).actions
            if left:
                raise EffectFailed(f"did not converge, still to do: {'; '.join(a.describe() for a in left)}")
    # Foreign code may run in there, and nobody is to wait for that at a lock.
    case.settle()
    return _report(case, observed, plan)


def _report(case: UseCase, observed: Any, plan: Plan) -> dict:
    return {
        "changed": bool(plan.actions),
        "actions": [action.describe() for action in plan.actions],
        "diff": {"before": plan.before, "after": plan.after},
        **case.result(observed),
    }
