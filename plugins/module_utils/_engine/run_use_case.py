# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A use case from a module's parameters to its result, which is plain data."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .._errors import ConductorError, printable
from .container_records import require_one_directory
from .engine import UseCase, check, perform
from .settings import Settings


def run_use_case(use_case: str, params: dict[str, Any], only_check: bool) -> dict[str, Any]:
    """Result of the use case, or with `only_check` what it would be. Errors are in `msg`, and `failed` is true then.

    `use_case`: where its class or the function that makes it is, like "_container.use_case:ContainerCase".
    """
    place, _, name = use_case.partition(":")
    build: Callable[[dict[str, Any], Settings], UseCase[Any]] = getattr(
        importlib.import_module(f"{__package__.rpartition('.')[0]}.{place}"), name
    )
    try:
        settings = Settings.load(params)
        require_one_directory(settings.container_dir)
        case = build(params, settings)
        result = _check(case) if only_check else perform(case)
    except ConductorError as error:
        result = {**error.facts, "failed": True, "msg": str(error)}
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        result = {"failed": True, "msg": f"{error.strerror or error}{where}"}
    if "msg" in result:
        result["msg"] = _shown(result["msg"])
    if "warnings" in result:
        result["warnings"] = [_shown(text) for text in result["warnings"]]
    if "diff" in result:
        result["diff"] = _shown_diff(result["diff"])
    return result


def _check(case: UseCase[Any]) -> dict[str, Any]:
    """What check mode reports. What an earlier task of the play would have made, and check mode has not, is a warning.

    A use case tells by `ahead` what its result is then.
    """
    try:
        return check(case)
    except ConductorError as error:
        if not error.may_come or not hasattr(case, "ahead"):
            raise
        warning = f"{error.message}. In check mode an earlier task of the play has not made or started it."
        return {"changed": True, "diff": {"before": {}, "after": {}}, "warnings": [warning], **case.ahead()}


def _shown(text: str) -> str:
    """Text that Ansible prints as it is."""
    return printable(text, keep="\n\t")


def _shown_diff(diff: Any) -> Any:
    """A diff without characters that act on a terminal: file names and content may come from a container."""
    if isinstance(diff, list):
        return [_shown_diff(each) for each in diff]
    # All but text is printed as JSON.
    return {key: _shown(value) if isinstance(value, str) else value for key, value in diff.items()}
