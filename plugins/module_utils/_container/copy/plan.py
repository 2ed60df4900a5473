# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan of a copy: the files, directories and symlinks to write, and the diff of the changes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._engine.action import Action, Plan
from ..._errors import Conflict

# Bytes of a file that a diff shows at most, as in ansible.builtin.copy (MAX_FILE_SIZE_FOR_DIFF).
MAX_DIFF_SIZE = 104448


@dataclass(frozen=True)
class FileView:
    """A file, directory or symlink as it exists, or as it is wanted.

    `owner` and `group` are ids inside the container, -1 for ids outside of its range. `digest`: SHA-256, "" if the
    sizes differ already; `text`: content, None if it is too large to show; `to`: the target of a symlink.
    """

    kind: str
    size: int = 0
    digest: str = ""
    text: bytes | None = None
    mode: int = 0
    owner: int = 0
    group: int = 0
    link_target: str = ""


@dataclass(frozen=True)
class Pair:
    """The wanted and the present file at a path."""

    wanted: FileView
    found: FileView


@dataclass(frozen=True)
class Copy(Action):
    """Write each of `entries` (path below the target, "" for the target itself) atomically, in their order.

    `source` and `target` are for messages.
    """

    source: str
    target: str
    entries: tuple[tuple[str, FileView], ...]

    def describe(self) -> str:
        counts = Counter(wanted.kind for _path, wanted in self.entries)
        summary = ", ".join(_counted(counts[kind], kind) for kind in ("directory", "file", "link") if counts[kind])
        path, first = self.entries[0]
        copied = f"copy {self.source} to {self.target}"
        return copied if (path, first.kind) == ("", "file") else f"{copied}: {summary}"


def plan_copy(source: str, target: str, pairs: Mapping[str, Pair], room: int | None) -> Plan:
    """Plan the copy of `pairs` (by path below the target, each after its directory) into `room` free bytes, if known.

    A directory that exists is not changed. Raises Conflict if the copy would replace a directory or special file, and
    if it needs more than `room`.
    """
    for path, pair in pairs.items():
        _check_replaceable(printable_path(source, path), printable_path(target, path), pair)
    todo = {path: pair for path, pair in pairs.items() if not _is_done(pair)}
    if not todo:
        return Plan()
    size = sum(pair.wanted.size for pair in todo.values())
    if room is not None and size > room:
        raise Conflict(f"{target}: needs {size} bytes for {source}, and {room} are free", "free space there")
    # The result has a diff for each path, which `before` and `after` of a plan cannot express.
    return Plan((Copy(source, target, tuple((path, pair.wanted) for path, pair in todo.items())),))


def differences(copy: Copy, pairs: Mapping[str, Pair]) -> list[dict[str, Any]]:
    """Changes by `copy` in the format of ansible.builtin.copy: for each path its content, then its attributes."""
    diffs = []
    for path, wanted in copy.entries:
        pair, target = pairs[path], printable_path(copy.target, path)
        if wanted.kind == "file" and not same_content(pair):
            diffs.append(_content_diff(printable_path(copy.source, path), target, pair))
        before, after = _attributes_changed(pair)
        if after:
            diffs.append({"before_header": target, "after_header": target, "before": before, "after": after})
    return diffs


def printable_path(top: str, path: str) -> str:
    """`path` below `top` for messages; bytes that are not UTF-8 are replaced."""
    joined = os.path.join(top, path) if path else top
    return joined.encode(errors="surrogateescape").decode(errors="replace")


def same_content(pair: Pair) -> bool:
    """Whether both are files with the same bytes."""
    wanted, found = pair.wanted, pair.found
    return wanted.size == found.size and bool(found.digest) and wanted.digest == found.digest


def _check_replaceable(source: str, target: str, pair: Pair) -> None:
    wanted, found = pair.wanted.kind, pair.found.kind
    if wanted == "directory":
        if found not in ("missing", "directory"):
            raise Conflict(f"{target} is a {found}, and {source} is a directory", "choose another dest")
    elif found == "directory":
        hint = "end dest with / to copy the file into it" if wanted == "file" else "choose another dest"
        raise Conflict(f"{target} is a directory, and {source} is a {wanted}", hint)
    elif found not in ("missing", "file", "link"):
        raise Conflict(f"{target} is a {found}, which is not replaced", "choose another dest")


def _is_done(pair: Pair) -> bool:
    if pair.wanted.kind == "directory":
        return pair.found.kind == "directory"
    return not any(_attributes_changed(pair)) and (pair.wanted.kind == "link" or same_content(pair))


def _attributes_changed(pair: Pair) -> tuple[dict[str, Any], dict[str, Any]]:
    before, after = _attributes(pair.found), _attributes(pair.wanted)
    if not before:
        return {"state": "absent"}, after
    changed = sorted(name for name in after if before.get(name) != after[name])
    return {name: before[name] for name in changed if name in before}, {name: after[name] for name in changed}


def _attributes(view: FileView) -> dict[str, Any]:
    if view.kind == "missing":
        return {}
    ids = {"owner": view.owner, "group": view.group}
    if view.kind == "link":
        return {"state": "link", "to": view.link_target, **ids}
    return {"state": view.kind, "mode": f"{view.mode:04o}", **ids}


def _content_diff(source: str, target: str, pair: Pair) -> dict[str, Any]:
    diff: dict[str, Any] = {"before_header": target, "after_header": source}
    for name, short, view in (("before", "dst", pair.found), ("after", "src", pair.wanted)):
        if view.kind != "file":
            diff[name] = ""
        elif view.text is None:
            diff[f"{short}_larger"] = MAX_DIFF_SIZE
        elif b"\0" in view.text:
            diff[f"{short}_binary"] = 1
        else:
            diff[name] = view.text.decode("utf-8", errors="replace")
    return diff


def _counted(number: int, kind: str) -> str:
    plural = "directories" if kind == "directory" else f"{kind}s"
    return f"1 {kind}" if number == 1 else f"{number} {plural}"
