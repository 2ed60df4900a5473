# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of CPUs as the kernel writes them, such as 0-2,5 (cpuset(7), "List format")."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .._errors import InvalidInput


def parse_cpus(text: str, option: str) -> set[int]:
    """Return the numbers in `text`, each less than 10000. Raises InvalidInput with the name `option`."""
    numbers: set[int] = set()
    for part in text.replace(" ", "").strip().split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part, re.ASCII)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise InvalidInput(f"{option}: {text!r} is not a list of CPUs", "use numbers and ranges, like 0-2,5")
        numbers.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return numbers


def show_cpus(numbers: Iterable[int]) -> str:
    """Return the list of `numbers` as the kernel writes it: in order, each once, neighbours as a range."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in ranges)
