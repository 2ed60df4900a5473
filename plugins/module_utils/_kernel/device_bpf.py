# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The BPF program that controls which devices the processes of a cgroup of version 2 may use.

Sources: linux/bpf.h and linux/bpf_common.h (instructions, struct bpf_cgroup_dev_ctx), and the kernel's
Documentation/bpf/standardization/instruction-set.rst. runc, crun and systemd build their programs in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .bpf import instruction

# BPF_DEVCG_ACC_* and BPF_DEVCG_DEV_*. Input of the program: access << 16 | type, major, minor, 32 bits each.
ACCESS = {"m": 1, "r": 2, "w": 4}
TYPE = {"b": 1, "c": 2}

# BPF_LDX | BPF_MEM | BPF_W, BPF_ALU64 | BPF_MOV | BPF_K, BPF_ALU | BPF_MOV | BPF_X, ... | BPF_AND | BPF_K,
# ... | BPF_RSH | BPF_K, BPF_JMP | BPF_JNE | BPF_K, BPF_JMP | BPF_EXIT
LOAD_WORD, SET, COPY, AND, SHIFT_RIGHT, SKIP_UNLESS_EQUAL, EXIT = 0x61, 0xB7, 0xBC, 0x54, 0x74, 0x55, 0x95
# Registers: the return value, the address of the input, and the parts of the input.
_RESULT, _INPUT, _TYPE, _ACCESS, _MAJOR, _MINOR = range(6)


@dataclass(frozen=True)
class DeviceRule:
    """Devices of one type, "c" or "b", and the allowed access (some of r, w, m: read, write, mknod).

    A number that is None matches every number.
    """

    type: str
    major: int | None
    minor: int | None
    access: str

    def __str__(self) -> str:
        """Format the rule for the devices controller of version 1 (Documentation/admin-guide/cgroup-v1/devices.rst)."""
        major, minor = ("*" if number is None else number for number in (self.major, self.minor))
        return f"{self.type} {major}:{minor} {self.access}"


def device_program(rules: Iterable[DeviceRule]) -> bytes:
    """Return the instructions of a program that allows an access only if one of `rules` allows it."""
    code = [
        instruction(LOAD_WORD, _TYPE, _INPUT),
        instruction(AND, _TYPE, number=0xFFFF),
        instruction(LOAD_WORD, _ACCESS, _INPUT),
        instruction(SHIFT_RIGHT, _ACCESS, number=16),
        instruction(LOAD_WORD, _MAJOR, _INPUT, offset=4),
        instruction(LOAD_WORD, _MINOR, _INPUT, offset=8),
    ]
    for rule in rules:
        code += _allow(rule)
    return b"".join([*code, instruction(SET, _RESULT, number=0), instruction(EXIT)])


def _allow(rule: DeviceRule) -> list[bytes]:
    """Return instructions that exit with 1 if the rule allows the access, and otherwise continue after them."""
    refused = 7 & ~sum(ACCESS[letter] for letter in rule.access)
    numbers = ((_RESULT, 0), (_TYPE, TYPE[rule.type]), (_MAJOR, rule.major), (_MINOR, rule.minor))
    tests = [(register, number) for register, number in numbers if number is not None]
    allow = [instruction(SET, _RESULT, number=1), instruction(EXIT)]
    return [
        # All requested accesses, like r and w of a file that is opened for both, must be allowed together.
        instruction(COPY, _RESULT, _ACCESS),
        instruction(AND, _RESULT, number=refused),
        *(
            instruction(SKIP_UNLESS_EQUAL, register, offset=len(tests[place + 1 :]) + len(allow), number=number)
            for place, (register, number) in enumerate(tests)
        ),
        *allow,
    ]
