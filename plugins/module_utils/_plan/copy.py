# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file has to be copied, and the difference that it makes."""

from __future__ import annotations

from dataclasses import dataclass

from .._errors import Conflict
from .action import Action, Plan

# As much text as ansible.builtin.copy shows of a file (MAX_FILE_SIZE_FOR_DIFF).
SHOWN = 104448


@dataclass(frozen=True)
class FileView:
    """A file as it was found, or as it shall be. Ids as they are inside for a file of a container, -1 for others.

    `digest`: SHA-256, "" where sizes alone told the difference; `text`: content, None where it is too much to show.
    """

    kind: str
    size: int = 0
    digest: str = ""
    text: bytes | None = None
    mode: int = 0
    owner: int = 0
    group: int = 0


@dataclass(frozen=True)
class CopyFile(Action):
    """Write the file anew, whole. `source` and `target` are for people."""

    source: str
    target: str

    def describe(self) -> str:
        return f"copy {self.source} to {self.target}"


def plan_copy(source: str, target: str, wanted: FileView, found: FileView) -> Plan:
    """Raises Conflict where something else than a file is in the way, which a copy would hide or lose."""
    if found.kind == "directory":
        raise Conflict(f"{target} is a directory", "end dest with / to copy the file into it")
    if found.kind not in ("missing", "file", "link"):
        raise Conflict(f"{target} is a {found.kind}, which is not replaced", "name another dest")
    before, after = _attributes(found), _attributes(wanted)
    changed = sorted(name for name in after if before.get(name) != after[name])
    if not changed and _same_content(wanted, found):
        return Plan()
    return Plan(
        (CopyFile(source, target),),
        {name: before[name] for name in changed if name in before} if before else {"state": "absent"},
        {name: after[name] for name in changed} if before else {"state": "file", **after},
    )


def content_diff(source: str, target: str, wanted: FileView, found: FileView) -> dict | None:
    """The difference of content in the form that ansible.builtin.copy has it in; None where it is the same."""
    if found.kind == "file" and _same_content(wanted, found):
        return None
    diff: dict = {"before_header": target, "after_header": source}
    for name, short, view in (("before", "dst", found), ("after", "src", wanted)):
        if view.kind != "file":
            diff[name] = ""
        elif view.text is None:
            diff[f"{short}_larger"] = SHOWN
        elif b"\0" in view.text:
            diff[f"{short}_binary"] = 1
        else:
            diff[name] = view.text.decode("utf-8", errors="replace")
    return diff


def _attributes(view: FileView) -> dict:
    if view.kind == "missing":
        return {}
    if view.kind != "file":
        return {"state": view.kind}
    return {"state": "file", "mode": f"{view.mode:04o}", "owner": view.owner, "group": view.group}


def _same_content(wanted: FileView, found: FileView) -> bool:
    return wanted.size == found.size and bool(found.digest) and wanted.digest == found.digest
