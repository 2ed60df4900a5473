# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse sizes with units."""

from __future__ import annotations

import re

from .._errors import InvalidInput
from .decimal_number import decimal_number

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_size(value: object, option: str) -> int:
    """Return `value` in bytes: an integer with an optional unit k, m, g or t (powers of 1024). Raises InvalidInput."""
    match = re.fullmatch(r"(\d+)([kmgt]?)(?:i?b)?", str(value).strip().lower())
    number = None if match is None else decimal_number(match[1], (1 << 63) // _UNITS[match[2]])
    if match is None or number is None:
        raise InvalidInput(f"{option} {value!r} is not a size", "use bytes, or a number with k, m, g or t, like 512m")
    return number * _UNITS[match[2]]
