# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text output: text of containers, sizes, times; and JSON for programs."""

from __future__ import annotations

from .._errors import printable


def print_json(result: dict) -> None:
    """Print a result as one JSON document."""
    import json

    print(json.dumps(result, indent=2, default=str))


def shown(text: str) -> str:
    """Return `text` with characters that act on a terminal as escapes, except line ends and tabs."""
    return printable(text, keep="\n\t")


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
