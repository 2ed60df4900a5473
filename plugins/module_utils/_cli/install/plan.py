# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the files of the host command. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._engine.action import Action, Plan
from ..._errors import Conflict


@dataclass(frozen=True)
class File:
    """A file owned by root. `ours` says whether the content with this `digest` is a release of the host command, `kept`
    whether the bundle that it runs is excluded from deletion.
    """

    digest: str
    mode: int
    owner: int = 0
    ours: bool = True
    kept: bool = True

    def shown(self) -> dict[str, Any]:
        bundle = {} if self.kept else {"bundle": "missing or not kept"}
        return {"sha256": self.digest, "mode": f"0{self.mode:o}", "owner": self.owner, **bundle}


@dataclass(frozen=True)
class WriteFile(Action):
    path: str

    def describe(self) -> str:
        return f"write {self.path}"


@dataclass(frozen=True)
class RemoveFile(Action):
    path: str

    def describe(self) -> str:
        return f"remove {self.path}"


def plan_files(wanted: Mapping[str, File | None], found: Mapping[str, File | None]) -> Plan:
    """Return the plan from the files `found` at each path to those `wanted`. None stands for no file.

    Raises Conflict if a path holds something else.
    """
    actions: list[Action] = []
    for path, file in wanted.items():
        present = found[path]
        if present is not None and not present.ours:
            raise Conflict(f"{path} does not belong to the host command", "move it, or choose another path")
        if file is None and present is not None:
            actions.append(RemoveFile(path))
        elif file is not None and file != present:
            actions.append(WriteFile(path))
    return Plan(tuple(actions), _diff(found), _diff(wanted))


def _diff(files: Mapping[str, File | None]) -> dict[str, Any]:
    return {path: "absent" if file is None else file.shown() for path, file in files.items()}
