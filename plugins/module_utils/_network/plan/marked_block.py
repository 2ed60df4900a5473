# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed block of lines in a file that otherwise belongs to the container. Pure."""

from __future__ import annotations

from collections.abc import Sequence

BEGIN, END = b"# BEGIN conductor", b"# END conductor"


def has_block(content: bytes | None) -> bool:
    """Return whether `content` has a managed block."""
    return _split(content or b"")[1]


def with_block(content: bytes, lines: Sequence[str]) -> bytes:
    """Return `content` with `lines` as its only managed block, in place of the first one, or else at the top.

    At the top, since the first line for a name in hosts(5) and the first server in resolv.conf(5) win.
    """
    before, _had, after = _split(content)
    block = [BEGIN, *(line.encode() for line in lines), END]
    return b"".join(line + b"\n" for line in [*before, *block, *after])


def _split(content: bytes) -> tuple[list[bytes], bool, list[bytes]]:
    """Return the lines before the first block, whether it exists, and the lines after it.

    Further blocks and markers without a partner are dropped.
    """
    lines = content.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    before: list[bytes] = []
    after: list[bytes] = []
    found, position = False, 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if line.strip() == BEGIN:
            end = next((i for i in range(position, len(lines)) if lines[i].strip() == END), None)
            if end is not None:
                found, position = True, end + 1
        elif line.strip() != END:
            (after if found else before).append(line)
    return ([], False, before) if not found else (before, True, after)
