# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done, as data: printable, comparable, sortable, and the same in check mode as in earnest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Action(ABC):
    """One step. Each use case has its own subclasses."""

    @abstractmethod
    def describe(self) -> str:
        """What users read in `actions`."""


class Stage(Action):
    """A part of a plan whose actions are planned at its moment, since until then others may change what they depend on.

    So no lock of what many containers have in common is held while one of them stops. Check mode foresees them.
    """


class LeftOut(Exception):
    """An action could not be done in `container`, for which only those inside can be the reason: the run goes on."""

    def __init__(self, reason: str, container: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.container = container


@dataclass(frozen=True)
class Plan:
    """Ordered actions, and what they change in the words of the options: `before` and `after` make the diff."""

    actions: tuple[Action, ...] = ()
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
