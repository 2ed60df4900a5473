# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User and group ids of a container: a range of the host's ids, so that root inside has no privileges outside."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from .._errors import InvalidInput
from .typed_values import integer, object_with

# Ids of Debian, including nobody (65534), have 16 bits.
SIZE = 65536
# The last two 32-bit ids mean "none" and "no change" in system calls, so the last whole range is excluded.
END = (1 << 32) - SIZE

_ID = integer(0, (1 << 32) - 1)
# A range in the JSON files.
RANGE_KIND = object_with({"base": _ID, "size": _ID}, ("base", "size"))


def userns_kind(value: object) -> bool:
    """Return whether `value` is valid as `userns` in container.json."""
    return value in ("auto", "host") or RANGE_KIND(value)


@dataclass(frozen=True)
class IdRange:
    """Ids 0 to size - 1 inside are base to base + size - 1 on the host; the same for users and groups."""

    base: int
    size: int = SIZE

    @property
    def end(self) -> int:
        """The first id after the range."""
        return self.base + self.size

    @property
    def map_line(self) -> str:
        """The line for /proc/PID/uid_map."""
        return f"0 {self.base} {self.size}\n"

    def overlaps(self, other: IdRange) -> bool:
        return self.base < other.end and other.base < self.end


def parse_userns(value: object, option: str) -> str | IdRange:
    """Return "auto", "host", or the range of a dictionary {base, size}. Raises InvalidInput."""
    if value in ("auto", "host"):
        return value
    if not isinstance(value, dict) or set(value) - {"base", "size"} or "base" not in value:
        raise InvalidInput(f"{option} {value!r} is not valid", "use auto, host, or a dictionary with base and size")
    base, size = (_number(value.get(key, SIZE), f"{option}.{key}") for key in ("base", "size"))
    if base < SIZE:
        raise InvalidInput(
            f"{option}.base {base} is below {SIZE}, in the range of the host's own users", f"use {SIZE} or more"
        )
    if size < SIZE:
        raise InvalidInput(f"{option}.size {size} is below {SIZE}", f"use {SIZE} or more: Debian uses ids up to 65534")
    if base + size > END:
        raise InvalidInput(
            f"{option}: base {base} plus size {size} is beyond the last range of the kernel, up to {END}"
        )
    return IdRange(base, size)


def _number(value: object, option: str) -> int:
    # A number from a Jinja template is a string.
    if isinstance(value, (int, str)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            return int(value)
    raise InvalidInput(f"{option} {value!r} is not an integer")
