# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource limits of a container's processes in the format of docker and podman: NAME:SOFT:HARD."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..._engine.decimal_number import decimal_number
from ..._errors import InvalidInput

# Names of getrlimit(2) without RLIMIT_. RLIMIT_LOCKS is left out: the kernel ignores it since 2.4.25.
NAMES = frozenset(
    "as core cpu data fsize memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split()
)
UNLIMITED = -1


@dataclass(frozen=True)
class Ulimit:
    """One limit in the kernel's unit: bytes, seconds or a number. -1 means no limit."""

    name: str
    soft: int
    hard: int

    @classmethod
    def parse(cls, value: object, option: str) -> Ulimit:
        """The limit for a value of the option ulimits. Raises InvalidInput."""
        match = re.fullmatch(r"([a-z]+):([^:]+)(?::([^:]+))?", str(value).strip().lower())
        if match is None:
            raise InvalidInput(
                f"{option}: {value!r} is not NAME:SOFT or NAME:SOFT:HARD", "write it like nofile:1024:4096"
            )
        if match[1] not in NAMES:
            raise InvalidInput(f"{option}: there is no limit {match[1]!r}", f"use one of {', '.join(sorted(NAMES))}")
        soft = _number(match[2], value, option)
        hard = soft if match[3] is None else _number(match[3], value, option)
        if smaller_limit(hard, soft) != soft:
            raise InvalidInput(f"{option}: {value!r} has a soft limit above its hard limit", "swap them")
        return cls(match[1], soft, hard)

    def __str__(self) -> str:
        return f"{self.name}:{_text(self.soft)}:{_text(self.hard)}"


def parse_ulimits(values: Iterable[object], option: str) -> tuple[Ulimit, ...]:
    """Limits sorted by name. Raises InvalidInput, also if a name is given more than once."""
    limits = [Ulimit.parse(value, option) for value in values]
    names = [limit.name for limit in limits]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"{option}: {name} is given more than once", "leave out all but one")
    return tuple(sorted(limits, key=lambda limit: limit.name))


def smaller_limit(limit: int, value: int) -> int:
    """The smaller of `value` and `limit`; UNLIMITED is the largest."""
    if UNLIMITED in (limit, value):
        return value if limit == UNLIMITED else limit
    return min(limit, value)


def parse_oom_score_adj(value: object, option: str) -> int:
    """Preference of the OOM killer for a process, from -1000 (never) to 1000 (first). Raises InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, int) or not -1000 <= value <= 1000:
        raise InvalidInput(f"{option} {value!r} is not in the range of -1000 to 1000", "give a number in that range")
    return value


def _number(text: str, value: object, option: str) -> int:
    if text in ("unlimited", "-1"):
        return UNLIMITED
    # RLIM_INFINITY is the largest 64-bit number; a larger number than 63 bits is a mistake.
    number = decimal_number(text, 1 << 63)
    if number is None:
        raise InvalidInput(f"{option}: {text!r} in {value!r} is not a limit", "write a whole number, or unlimited")
    return number


def _text(number: int) -> str:
    return "unlimited" if number == UNLIMITED else str(number)
