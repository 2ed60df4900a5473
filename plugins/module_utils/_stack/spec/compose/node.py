# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One value of a Compose document with the path that leads to it, and conversion to the types of the specification.

Forms of bytes and durations: https://github.com/compose-spec/compose-spec/blob/main/11-extension.md.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from ...._errors import InvalidInput, printable

# Keys of mappings and numbers of list entries, from the top of the document.
Path = tuple[object, ...]
Result = TypeVar("Result")

_BYTES = {"b": 1, "": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(us|ms|s|m|h)")


class Refused(InvalidInput):
    """A part of a Compose document that cannot be used; `path` leads to it."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{show(path)}: {problem}", remedy)
        self.path = path


class ComposeError(InvalidInput):
    """All parts of a Compose document that cannot be used, one a line. `place` returns a text before each."""

    def __init__(self, refused: Collection[Refused], place: Callable[[Path], str] = lambda path: "") -> None:
        super().__init__("\n".join(f"{place(one.path)}{one}" for one in refused))
        self.refused = tuple(refused)


def show(path: Path) -> str:
    """Return `path` as in `services.web.ports[0]`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return printable("".join(parts).removeprefix(".")) or "the document"


@contextmanager
def collected(problems: list[Refused]) -> Iterator[None]:
    """Add a Refused that the body raises to `problems`, so that all of them can be reported together."""
    try:
        yield
    except Refused as error:
        problems.append(error)


@dataclass(frozen=True)
class Node:
    """A value and its path. All methods raise Refused if the value has another type than theirs."""

    value: Any
    path: Path = ()

    def refused(self, problem: str, remedy: str) -> Refused:
        return Refused(self.path, problem, remedy)

    def _is_not(self, kind: str) -> Refused:
        return self.refused(f"{self.value!r} is not {kind}", f"give {kind}")

    def fields(self, known: Collection[str] = ()) -> dict[str, Node]:
        """Return the values of a mapping by key, without those that are null or begin with `x-`.

        If `known` is given, other keys are refused.
        """
        found = {
            key: node for key, node in self.members().items() if node.value is not None and not key.startswith("x-")
        }
        for key, node in found.items():
            if known and key not in known:
                raise node.unknown_key(known)
        return found

    def members(self) -> dict[str, Node]:
        """Return all values of a mapping whose keys are names."""
        if self.value is None:
            return {}
        if not isinstance(self.value, Mapping):
            raise self._is_not("a mapping")
        return {str(key): Node(value, (*self.path, str(key))) for key, value in self.value.items()}

    def unknown_key(self, known: Collection[str]) -> Refused:
        """Return the error about a key that the specification does not have."""
        close = difflib.get_close_matches(str(self.path[-1]), known, 1)
        remedy = f"correct it to {close[0]}" if close else f"use only {', '.join(sorted(known))}"
        return self.refused("unknown key", remedy)

    def entries(self) -> list[Node]:
        """Return the entries of a list."""
        if not isinstance(self.value, list):
            raise self._is_not("a list")
        return [Node(value, (*self.path, index)) for index, value in enumerate(self.value)]

    def text(self) -> str:
        """Return a scalar as text, a boolean as YAML writes it."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, (str, int, float)):
            return str(self.value)
        raise self._is_not("a string")

    def texts(self) -> list[str]:
        """Return the texts of a list, or one text as a list."""
        return [one.text() for one in self.entries()] if isinstance(self.value, list) else [self.text()]

    def pairs(self) -> dict[str, str | None]:
        """Return a mapping, or a list of KEY=VALUE, as texts by key; None for a key without a value."""
        if isinstance(self.value, list):
            parts = [one.text().partition("=") for one in self.entries()]
            return {key: value if separator else None for key, separator, value in parts}
        if not isinstance(self.value, Mapping):
            raise self._is_not("a mapping or a list")
        return {key: None if node.value is None else node.text() for key, node in self.members().items()}

    def boolean(self) -> bool:
        """Return a boolean, which may be a text since interpolation has no other result."""
        if self.text().lower() not in ("true", "false", "yes", "no", "on", "off"):
            raise self._is_not("true or false")
        return self.text().lower() in ("true", "yes", "on")

    def number(self) -> float:
        """Return a finite number."""
        if isinstance(self.value, bool) or not re.fullmatch(r"[-+]?(\d{1,18}(\.\d{0,18})?|\.\d{1,18})", self.text()):
            raise self._is_not("a number")
        return float(self.text())

    def whole(self) -> int:
        """Return a whole number."""
        if isinstance(self.value, bool) or not re.fullmatch(r"[-+]?\d{1,18}", self.text()):
            raise self._is_not("a whole number")
        return int(self.text())

    def bytes(self) -> int:
        """Return a size in bytes: a number with an optional unit b, k, m, g, kb, mb or gb (powers of 1024)."""
        found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?) ?([bkmgt]?)b?", self.text().lower())
        if found is None or isinstance(self.value, bool):
            raise self.refused(f"{self.value!r} is not a size", "give bytes, or a number with b, k, m or g, like 512m")
        return int(float(found[1]) * _BYTES[found[2]])

    def seconds(self) -> float:
        """Return a duration such as `1m30s` in seconds."""
        parts = _DURATION.findall(self.text())
        if not parts or "".join(number + unit for number, unit in parts) != self.text():
            raise self.refused(f"{self.value!r} is not a duration", "use the units us, ms, s, m and h, like 1m30s")
        return round(sum(float(number) * _SECONDS[unit] for number, unit in parts), 6)

    def checked(self, parse: Callable[[], Result], name: str = "") -> Result:
        """Return the result of `parse`, one of our parsers. Its InvalidInput becomes a Refused of this node.

        `name`: the option at which the parser's message begins, which is left out.
        """
        try:
            return parse()
        except Refused:
            raise
        except InvalidInput as error:
            message = error.message.removeprefix(name).removeprefix(":").strip()
            raise self.refused(message, error.hint) from None


def each(nodes: Iterable[Node], parse: Callable[[Node], Result], problems: list[Refused]) -> list[Result]:
    """Return the result of `parse` for each of `nodes`. A Refused is added to `problems`."""
    found = []
    for node in nodes:
        with collected(problems):
            found.append(parse(node))
    return found
