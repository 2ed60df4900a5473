# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done, as data: printable, comparable, sortable, and the same in check mode as in earnest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Action(ABC):
    """One step. Each use case has its own subclasses."""

    @abstractmethod
    def describe(self) -> str:
        """What users read in `actions`."""


@dataclass(frozen=True)
class Plan:
    """Ordered actions, and what they change in the words of the options: `before` and `after` make the diff."""

    actions: tuple[Action, ...] = ()
    before: dict = field(default_factory=dict)
    after: dict = field(default_factory=dict)
