# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a use case with the parameters of a module and return its result as plain data."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .._errors import ConductorError, InvalidInput, name_in_message, printable
from .container_records import require_one_container_dir
from .engine import UseCase, check, perform
from .settings import Settings
from .surrogates import HALF, find_surrogate, without_surrogates


def run_use_case(use_case: str, params: dict[str, Any], only_check: bool) -> dict[str, Any]:
    """Return the result of the use case, or with `only_check` the predicted result. An error sets `msg` and `failed`.

    `use_case`: module and name of its class or factory function, like "_container.use_case:ContainerCase".
    """
    module, _, name = use_case.partition(":")
    build: Callable[[dict[str, Any], Settings], UseCase[Any]] = getattr(
        importlib.import_module(f"{__package__.rpartition('.')[0]}.{module}"), name
    )
    try:
        _refuse_surrogates(params)
        settings = Settings.load(params)
        require_one_container_dir(settings.container_dir)
        case = build(params, settings)
        result = _check(case) if only_check else perform(case)
    except ConductorError as error:
        name_in_message(error, params.get("container") or params.get("name"))
        result = {**error.facts, "failed": True, "msg": str(error)}
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        result = {"failed": True, "msg": f"{error.strerror or error}{where}"}
    except UnicodeEncodeError as error:
        # Functions of Python encode paths by the locale.
        problem = f"path {error.object}: cannot be expressed in the encoding of the host's locale ({error.encoding})"
        result = {"failed": True, "msg": f"{problem}. Set a locale with UTF-8 there, or use another path."}
    if "msg" in result:
        result["msg"] = escape_text(result["msg"])
    if "warnings" in result:
        result["warnings"] = [escape_text(text) for text in result["warnings"]]
    if "diff" in result:
        result["diff"] = escape_diff(result["diff"])
    return _encodable(result)


def _refuse_surrogates(params: dict[str, Any]) -> None:
    found = find_surrogate(params)
    if found is not None:
        # Ansible would not accept the invocation in the result either.
        raise InvalidInput(f"{found} {HALF}", "correct the text", invocation={})


def _encodable(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result without surrogates, since Ansible would refuse all of it, and what the run did were lost."""
    found = find_surrogate(result)
    if found is None:
        return result
    told = f"{found}: bytes that are not UTF-8 are shown as \ufffd"
    return {**without_surrogates(result), "warnings": [*result.get("warnings", ()), told]}


def _check(case: UseCase[Any]) -> dict[str, Any]:
    """Return the result in check mode. An object that an earlier task of the play would have created is only a warning.

    The method `predicted_result` of the use case, if it has one, gives the result in that case.
    """
    try:
        return check(case)
    except ConductorError as error:
        if not error.is_pending or not hasattr(case, "predicted_result"):
            raise
        warning = f"{error.message}. In check mode, earlier tasks of the play have not created or started it."
        return {"changed": True, "diff": {"before": {}, "after": {}}, "warnings": [warning], **case.predicted_result()}


def escape_text(text: str) -> str:
    """Escape a text that Ansible prints unchanged."""
    return printable(text, keep="\n\t")


def escape_diff(diff: Any) -> Any:
    """Escape the characters of a diff that act on a terminal: file names and content may come from a container."""
    if isinstance(diff, list):
        return [escape_diff(each) for each in diff]
    # Ansible prints other types as JSON.
    return {key: escape_text(value) if isinstance(value, str) else value for key, value in diff.items()}
