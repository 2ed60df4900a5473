"""Results of the tasks of a play on two targets, side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CALLBACK = Path(__file__).with_name("callback")
# Values that tell what a module has done. Times, process ids, temporary files and texts of apt differ anywhere.
_TOLD = ("rc", "msg", "state", "mode", "owner", "group", "uid", "gid", "home", "shell", "name", "checksum", "enabled")


def environment(results: Path) -> dict[str, str]:
    """Variables with which Ansible writes the results of its tasks to the file `results`."""
    return {
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACK),
        "ANSIBLE_CALLBACKS_ENABLED": "task_results",
        "TASK_RESULTS": str(results),
    }


def read_results(results: Path) -> list[tuple[str, dict[str, Any]]]:
    """Task and what is comparable of its result, in their order."""
    return [(line["task"], _comparable(line)) for line in map(json.loads, results.read_text().splitlines())]


def _comparable(line: dict[str, Any]) -> dict[str, Any]:
    result = line["result"]
    told = {key: result[key] for key in _TOLD if key in result}
    if "cmd" in result:
        told["stdout"] = result.get("stdout")
    return {"status": line["status"], **told}


def differences(one: Path, other: Path) -> dict[str, tuple[Any, Any]]:
    """Tasks whose results differ, each with those values of both that do; a task that only one has is None there."""
    found: dict[str, tuple[Any, Any]] = {}
    ours, theirs = read_results(one), read_results(other)
    for number in range(max(len(ours), len(theirs))):
        task, left = ours[number] if number < len(ours) else (theirs[number][0], None)
        right = theirs[number][1] if number < len(theirs) else None
        if left is None or right is None:
            found[task] = (left, right)
        elif left != right:
            keys = [key for key in {**left, **right} if left.get(key) != right.get(key)]
            found[task] = ({key: left.get(key) for key in keys}, {key: right.get(key) for key in keys})
    return found
