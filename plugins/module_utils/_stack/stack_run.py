# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outcome of a run of a stack while it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .._engine.action import Action
from .._errors import ConductorError
from .progress import Progress

if TYPE_CHECKING:
    from .._engine.engine import Run
    from .plan.stack import StackView


@dataclass
class StackRun:
    """The errors of single containers, by name: the others go on. They are reported to `progress`."""

    failures: dict[str, ConductorError] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)

    def fail(self, name: str, error: ConductorError) -> None:
        """Keep the first error of the container `name`."""
        if name not in self.failures:
            self.replace_failure(name, error)

    def replace_failure(self, name: str, error: ConductorError) -> None:
        """Keep `error` as that of the container `name`, in place of an earlier one."""
        self.failures[name] = error
        self.progress.failed(name, error)


def finish(run: Run[StackView], *actions: Action) -> None:
    """Add finished actions to those of `run`, and report them."""
    run.done += actions
    for action in actions:
        run.outcome.progress.done(action.describe())
