# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of the values in our JSON files: nothing of a wrong type gets further than the reader of a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

Kind = Callable[[object], bool]

# Seconds since 1970 up to the year 9999, the last that datetime knows.
_LAST_SECOND = 253_402_300_799


def text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def flag(value: object) -> bool:
    return isinstance(value, bool)


def whole(least: int, most: int = (1 << 63) - 1) -> Kind:
    """Whole numbers from `least` to `most`."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def number(least: float, most: float) -> Kind:
    """Numbers from `least` to `most`, whole or not."""

    def fits(value: object) -> bool:
        # What is no number, as JSON has none, is between no others.
        return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most

    return fits


def moment(value: object) -> bool:
    """Seconds since 1970."""
    return number(0, _LAST_SECOND)(value)


def one_of(*values: object) -> Kind:
    return lambda value: any(type(value) is type(known) and value == known for known in values)


def maybe(kind: Kind) -> Kind:
    """That, or null."""
    return lambda value: value is None or kind(value)


def list_of(kind: Kind) -> Kind:
    """Lists, or tuples: what becomes a list in JSON."""
    return lambda value: isinstance(value, (list, tuple)) and all(map(kind, value))


def map_of(kind: Kind) -> Kind:
    """An object with values of that kind, whatever its keys."""
    return lambda value: isinstance(value, dict) and all(map(text, value)) and all(map(kind, value.values()))


def object_with(kinds: Mapping[str, Kind], required: Collection[str] = ()) -> Kind:
    """An object whose known keys have values of these kinds, and which has all that are `required`."""

    def fits(value: object) -> bool:
        return isinstance(value, dict) and not wrong(value, kinds, required)

    return fits


def wrong(value: Mapping[str, Any], kinds: Mapping[str, Kind], required: Collection[str] = ()) -> str:
    """What is wrong with an object, in words; "" if nothing is. Keys without a kind do not count."""
    for name in required:
        if name not in value:
            return f"it has no {name}"
    for name, kind in kinds.items():
        if name in value and not kind(value[name]):
            return f"{name} is {_shown(value[name])}"
    return ""


def _shown(value: object) -> str:
    """A value for people, of any size and depth."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:60] + "...")
    names = {type(None): "null", bool: "a truth value", int: "another number", float: "another number", list: "a list"}
    return names.get(type(value), "an object")
