# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of the values in the JSON files of this collection, which the reader of a file checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

Kind = Callable[[object], bool]

# A day before the last second that datetime supports, in seconds since 1970, so that every time zone has it.
_LAST_SECOND = 253_402_214_399
_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", re.ASCII)


def text(value: object) -> bool:
    """Texts that the kernel accepts as a path or an argument: no NUL, and no half of a character ("\\ud800")."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def boolean(value: object) -> bool:
    return isinstance(value, bool)


def integer(least: int, most: int = (1 << 63) - 1) -> Kind:
    """Integers from `least` to `most`."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def number(least: float, most: float) -> Kind:
    """Integers and floats from `least` to `most`."""

    def fits(value: object) -> bool:
        # NaN fails both comparisons.
        return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most

    return fits


def timestamp(value: object) -> bool:
    """Seconds since 1970."""
    return number(0, _LAST_SECOND)(value)


def utc_time(value: object) -> bool:
    """Times in UTC to the second, in the form of `datetime.isoformat`, of which each Python reads another set."""
    if not isinstance(value, str) or not _UTC_TIME.fullmatch(value):
        return False
    try:
        return timestamp(datetime.fromisoformat(value).timestamp())
    except ValueError:
        return False


def one_of(*values: object) -> Kind:
    return lambda value: any(type(value) is type(known) and value == known for known in values)


# The wanted state in container.json. at-boot: the shutdown of the host has stopped it, and a boot starts it again.
WANTED = one_of("running", "stopped", "at-boot")


def nullable(kind: Kind) -> Kind:
    """A value of that kind, or null."""
    return lambda value: value is None or kind(value)


def list_of(kind: Kind) -> Kind:
    """Lists of values of that kind, or tuples, which become lists in JSON."""
    return lambda value: isinstance(value, (list, tuple)) and all(map(kind, value))


def map_of(kind: Kind) -> Kind:
    """Objects with any keys and values of that kind."""
    return lambda value: isinstance(value, dict) and all(map(text, value)) and all(map(kind, value.values()))


def object_with(kinds: Mapping[str, Kind], required: Collection[str] = ()) -> Kind:
    """Objects that have all `required` keys and whose known keys have values of these `kinds`."""

    def fits(value: object) -> bool:
        return isinstance(value, dict) and not find_problem(value, kinds, required)

    return fits


def find_problem(value: Mapping[str, Any], kinds: Mapping[str, Kind], required: Collection[str] = ()) -> str:
    """Return the problem of an object as text, or "". Keys without a kind are ignored."""
    for name in required:
        if name not in value:
            return f"it has no {name}"
    for name, kind in kinds.items():
        if name in value and not kind(value[name]):
            return f"{name} is {_description(value[name])}"
    return ""


def _description(value: object) -> str:
    """Describe a value of any size and depth for a message."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:60] + "...")
    names = {type(None): "null", bool: "a boolean", int: "another number", float: "another number", list: "a list"}
    return names.get(type(value), "an object")
