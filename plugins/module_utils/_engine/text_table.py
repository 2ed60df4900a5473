# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from .._errors import one_line


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return lines of aligned columns with headings. `-` stands for an empty or unknown value."""
    cells = [tuple(headings), *(tuple(one_line(str(cell or "-")) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]
