# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text output: tables, sizes, times; and JSON for programs. Text from containers cannot act on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .._errors import printable


def print_json(result: dict) -> None:
    """Print a result as one JSON document."""
    import json

    print(json.dumps(result, indent=2, default=str))


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return lines of aligned columns with headings. `-` stands for an empty or unknown value."""
    cells = [tuple(headings), *(tuple(one_line(str(cell or "-")) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells]


def one_line(text: str) -> str:
    """Return `text` with line ends as spaces, and other characters that act on a terminal as escapes."""
    return shown(" ".join(text.split("\n"))).strip()


def shown(text: str) -> str:
    """Return `text` with characters that act on a terminal as escapes, except line ends and tabs."""
    return printable(text, keep="\n\t")


def shortened(text: str, most: int) -> str:
    """Return `text` on one line of at most `most` characters; "..." replaces the rest."""
    line = one_line(text)
    return line if len(line) <= most else f"{line[: most - 3]}..."


def size(count: float) -> str:
    """Return bytes in the largest unit with a number of at least 1, like `ls -h`."""
    for unit in ("B", "K", "M", "G"):
        if count < 1024:
            return f"{count:.0f}{unit}" if unit == "B" or count >= 10 else f"{count:.1f}{unit}"
        count /= 1024
    return f"{count:.1f}T"


def local_time(text: str | None) -> str:
    """Return a time of a result in the host's time zone, to the minute, or "" for None."""
    from datetime import datetime

    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M") if text else ""
