# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole numbers in texts of others, such as options, and files and answers of a container. Pure."""

from __future__ import annotations

# Digits of a number of 64 bits, and some zeros before it.
_LONGEST = 32


def decimal_number(text: str, below: int) -> int | None:
    """Return the number that `text` writes in digits 0-9, None if it is no such number or not less than `below`.

    str.isdigit() is true for "²", too, which int() refuses, as it does more than 4300 digits (library reference of
    Python, "Integer string conversion length limitation").
    """
    if not (text.isascii() and text.isdigit()) or len(text) > _LONGEST:
        return None
    number = int(text)
    return number if number < below else None
