# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base class of the use cases of info modules, which observe and change nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._kernel.flock import Lock
from .action import Action, Plan
from .engine import Observed, Run, UseCase
from .names import parse_name


class InfoCase(UseCase[Observed]):
    """A use case without locks and actions."""

    def locks(self) -> Iterable[Lock]:
        return ()

    def plan(self, observed: Observed) -> Plan:
        return Plan()

    def apply(self, action: Action, run: Run[Observed]) -> None:
        raise AssertionError(f"an info module has no actions: {action!r}")


def parse_names(params: dict[str, Any]) -> list[str]:
    """Return the names in the option `name`; empty for all. Raises InvalidInput."""
    return [parse_name(name, "name") for name in params["name"] or []]
