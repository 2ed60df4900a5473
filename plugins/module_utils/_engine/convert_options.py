# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check and convert option values by their declarations, where no argument_spec of Ansible does it.

For options inside of other options, and for files that users write.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import Any

from .._errors import InvalidInput
from .option import Option

_TRUE, _FALSE = ("yes", "on", "true", "1"), ("no", "off", "false", "0")


def convert_options(options: Mapping[str, Option], values: object, where: str) -> dict[str, Any]:
    """Return a value for each of `options`, or its default, converted like Ansible's argument_spec does.

    Differences: no list is split at commas, and no boolean becomes a string. Raises InvalidInput, which begins with
    `where`.
    """
    if not isinstance(values, Mapping):
        raise InvalidInput(f"{where}: {values!r} is not a dictionary", "give a dictionary of options")
    for name in values:
        if name not in options:
            raise InvalidInput(f"{where}: unknown option {name!r}", _remedy(name, options))
    converted = {}
    for name, option in options.items():
        value = values.get(name)
        if value is None:
            if option.required:
                raise InvalidInput(f"{where}: {name} is missing", f"set {name}")
            value = option.default
        converted[name] = None if value is None else _convert(option, value, f"{where}.{name}")
    return converted


def _remedy(name: object, options: Mapping[str, Option]) -> str:
    """Return the hint for an unknown option: the dictionary that it belongs in, or the name that was meant."""
    for outer, option in options.items():
        if option.type == "dict" and name in (option.suboptions or {}):
            return f"give it in {outer}"
    close = difflib.get_close_matches(str(name), options, 1)
    return f"correct it to {close[0]}" if close else f"use only {', '.join(sorted(options))}"


def _convert(option: Option, value: Any, where: str) -> Any:
    found = _of_type(option.type, value, where)
    if option.choices and found not in option.choices:
        raise InvalidInput(f"{where}: {found!r} is invalid", f"use one of {', '.join(option.choices)}")
    if option.type == "list":
        if option.suboptions:
            return [convert_options(option.suboptions, part, f"{where}[{index}]") for index, part in enumerate(found)]
        return [_of_type(option.elements or "raw", part, f"{where}[{index}]") for index, part in enumerate(found)]
    if option.type == "dict" and option.suboptions:
        return convert_options(option.suboptions, found, where)
    return found


def _of_type(kind: str, value: Any, where: str) -> Any:
    """Return `value` as a value of an Ansible type."""
    try:
        if kind in ("str", "path") and isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
        if kind == "int" and not isinstance(value, bool) and float(value) == int(value):
            return int(value)
        if kind == "float" and not isinstance(value, bool) and math.isfinite(float(value)):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    if kind == "bool" and str(value).lower() in (*_TRUE, *_FALSE):
        return str(value).lower() in _TRUE
    if kind == "raw" or isinstance(value, {"list": list, "dict": Mapping}.get(kind, ())):
        return value
    name = {"str": "a string", "path": "a path", "int": "a whole number", "float": "a number", "bool": "true or false",
            "list": "a list", "dict": "a dictionary"}[kind]  # fmt: skip
    raise InvalidInput(f"{where}: {value!r} is not {name}", f"give {name}")
