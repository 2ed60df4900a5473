# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables in the values of a Compose document.

https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...._errors import InvalidInput
from .node import Node, Path, Refused

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")
# Braces in braces. Each level is read by a call of its own.
_MOST_NESTED = 50


def interpolate(text: str, variables: Mapping[str, str], unset: set[str]) -> str:
    """Return `text` with the values of variables, and `$$` as `$`.

    A variable without a value and without a default is an empty string, and is added to `unset`. Raises InvalidInput.
    """
    parts = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        rest = text[dollar + 1 :]
        name = _NAME.match(rest)
        if rest.startswith("$"):
            parts.append("$")
            position = dollar + 2
        elif rest.startswith("{"):
            inside = rest[1 : _closing_brace(rest, text)]
            parts.append(_braced(inside, text, variables, unset))
            position = dollar + len(inside) + 3
        elif name:
            parts.append(_value(name[0], variables, unset))
            position = dollar + 1 + name.end()
        else:
            parts.append("$")
            position = dollar + 1
    return "".join([*parts, text[position:]])


def _closing_brace(rest: str, text: str) -> int:
    depth = 0
    for index, char in enumerate(rest):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth == 0:
            return index
        if depth > _MOST_NESTED:
            raise InvalidInput(f"more than {_MOST_NESTED} '{{' are nested", "write a shorter default")
    raise InvalidInput(f"{text!r} has a '${{' without its '}}'", "close it, or write $$ for a literal $")


def _braced(inside: str, text: str, variables: Mapping[str, str], unset: set[str]) -> str:
    """Return the value of `${inside}`."""
    name = _NAME.match(inside)
    operator = _OPERATOR.match(inside, name.end()) if name else None
    if name is None or (operator is None and name.end() != len(inside)):
        raise InvalidInput(f"{text!r} has an invalid variable ${{{inside}}}", "correct it, or write $$ for a literal $")
    if operator is None:
        return _value(name[0], variables, unset)
    word = inside[operator.end() :]
    value = variables.get(name[0])
    has_value = value is not None and (value != "" or not operator[0].startswith(":"))
    if operator[0].endswith("+"):
        return interpolate(word, variables, unset) if has_value else ""
    if has_value:
        return value or ""
    if operator[0].endswith("?"):
        reason = interpolate(word, variables, unset)
        raise InvalidInput(f"variable {name[0]} is required{': ' if reason else ''}{reason}", "set it in environment")
    return interpolate(word, variables, unset)


def _value(name: str, variables: Mapping[str, str], unset: set[str]) -> str:
    if name not in variables:
        unset.add(name)
    return variables.get(name, "")


def _has_extensions(path: Path) -> bool:
    """Return whether a key `x-` of the document or of a service is an extension, and not a name or a variable."""
    return not path or (path[0] == "services" and len(path) == 2)


def interpolate_document(
    value: Any, variables: Mapping[str, str], problems: list[Refused], notices: list[Refused], path: Path = ()
) -> Any:
    """Return a copy of a document in which all values, not keys, are interpolated.

    Errors are added to `problems`, variables that are not set to `notices`. Extensions other than x-conductor are left
    out, since nothing reads them.
    """
    if isinstance(value, Mapping):
        return {
            str(key): interpolate_document(part, variables, problems, notices, (*path, str(key)))
            for key, part in value.items()
            if key == "x-conductor" or not str(key).startswith("x-") or not _has_extensions(path)
        }
    if isinstance(value, (list, tuple)):
        return [
            interpolate_document(part, variables, problems, notices, (*path, index)) for index, part in enumerate(value)
        ]
    if not isinstance(value, str) or "$" not in value:
        return value
    node, unset = Node(value, path), set[str]()
    try:
        found = node.checked(lambda: interpolate(value, variables, unset))
    except Refused as error:
        problems.append(error)
        return value
    for name in sorted(unset):
        notices.append(
            node.refused(
                f"variable {name} is not set, and an empty string is used",
                f"set it in environment, or write ${{{name}:-}}",
            )
        )
    return found
