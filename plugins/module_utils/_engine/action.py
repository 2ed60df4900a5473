# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions and plans as data: printable, comparable, sortable, and the same in check mode and in a real run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Action(ABC):
    """One step of a plan. Each use case has its own subclasses."""

    @abstractmethod
    def describe(self) -> str:
        """Return the text of the action in the result `actions`."""


class Stage(Action):
    """A part of a plan whose actions are planned when it is reached, because their input may change until then.

    So no lock that many containers share is held while one of them stops. Check mode predicts the actions.
    """


class ActionSkipped(Exception):
    """An action was skipped in `container` for a reason that only its processes can cause. The run continues."""

    def __init__(self, reason: str, container: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.container = container


@dataclass(frozen=True)
class Plan:
    """Ordered actions, and their changes as option values: `before` and `after` of the diff."""

    actions: tuple[Action, ...] = ()
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
