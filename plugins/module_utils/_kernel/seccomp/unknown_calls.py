# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filter by ranges of system call numbers. libseccomp has no such rules: it compares only arguments.

It is loaded for each process of a container. As a list of numbers it would cost the kernel as much time as a profile.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping

_ALLOW = 0x7FFF0000
# Classic BPF (Documentation/networking/filter.rst), with offsets into struct seccomp_data (seccomp(2)).
_LOAD, _JUMP, _IF_EQUAL, _IF_GREATER, _IF_NOT_LESS, _RETURN = 0x20, 0x05, 0x15, 0x25, 0x35, 0x06
_NUMBER, _ARCHITECTURE = 0, 4


def refuse_unknown(known: Mapping[int, Collection[int]], action: int) -> bytes:
    """Return a program with `action` for each call whose number is not among the `known` ones of its architecture.

    Architectures are as in seccomp_data (linux/audit.h). It allows all calls of other architectures, which another
    program filters.
    """
    program = [_instruction(_LOAD, _ARCHITECTURE)]
    for architecture, numbers in known.items():
        block = [_instruction(_LOAD, _NUMBER)]
        for first, last in _ranges(numbers):
            # Ascending: a number below this range that was in no range before is unknown.
            block += [_instruction(_IF_NOT_LESS, first, then=1), _instruction(_RETURN, action)]
            block += [_instruction(_IF_GREATER, last, then=1), _instruction(_RETURN, _ALLOW)]
        block.append(_instruction(_RETURN, action))
        program += [_instruction(_IF_EQUAL, architecture, then=1), _instruction(_JUMP, len(block)), *block]
    return b"".join([*program, _instruction(_RETURN, _ALLOW)])


def _instruction(code: int, value: int, then: int = 0) -> bytes:
    """Encode a struct sock_filter; a condition that is true skips `then` instructions."""
    return struct.pack("=HBBI", code, then, 0, value)


def _ranges(numbers: Collection[int]) -> list[tuple[int, int]]:
    """Return first and last number of each run of consecutive numbers, ascending."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
