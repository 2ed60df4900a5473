# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's BPF program that says which devices the processes of a cgroup of version 2 may use.

Sources: linux/bpf.h and linux/bpf_common.h (instructions, struct bpf_cgroup_dev_ctx), and the kernel's
Documentation/bpf/standardization/instruction-set.rst. runc, crun and systemd make theirs in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .bpf import instruction

# BPF_DEVCG_ACC_* and BPF_DEVCG_DEV_*. What is asked of the program: access << 16 | type, major, minor, 32 bits each.
ACCESS = {"m": 1, "r": 2, "w": 4}
TYPE = {"b": 1, "c": 2}

# BPF_LDX | BPF_MEM | BPF_W, BPF_ALU64 | BPF_MOV | BPF_K, BPF_ALU | BPF_MOV | BPF_X, ... | BPF_AND | BPF_K,
# ... | BPF_RSH | BPF_K, BPF_JMP | BPF_JNE | BPF_K, BPF_JMP | BPF_EXIT
LOAD_WORD, SET, COPY, AND, SHIFT_RIGHT, SKIP_UNLESS_EQUAL, EXIT = 0x61, 0xB7, 0xBC, 0x54, 0x74, 0x55, 0x95
# Registers: what the program returns, the address of what is asked, and that taken apart.
_RESULT, _ASKED, _TYPE, _ACCESS, _MAJOR, _MINOR = range(6)


@dataclass(frozen=True)
class DeviceRule:
    """Devices of one type, "c" or "b", may be read, written, made (some of r, w, m). None stands for each number."""

    type: str
    major: int | None
    minor: int | None
    access: str

    def __str__(self) -> str:
        """As the devices controller of version 1 takes it (Documentation/admin-guide/cgroup-v1/devices.rst)."""
        major, minor = ("*" if number is None else number for number in (self.major, self.minor))
        return f"{self.type} {major}:{minor} {self.access}"


def device_program(rules: Iterable[DeviceRule]) -> bytes:
    """Instructions that allow what one of `rules` allows, and nothing else."""
    code = [
        instruction(LOAD_WORD, _TYPE, _ASKED),
        instruction(AND, _TYPE, number=0xFFFF),
        instruction(LOAD_WORD, _ACCESS, _ASKED),
        instruction(SHIFT_RIGHT, _ACCESS, number=16),
        instruction(LOAD_WORD, _MAJOR, _ASKED, offset=4),
        instruction(LOAD_WORD, _MINOR, _ASKED, offset=8),
    ]
    for rule in rules:
        code += _allow(rule)
    return b"".join([*code, instruction(SET, _RESULT, number=0), instruction(EXIT)])


def _allow(rule: DeviceRule) -> list[bytes]:
    """Return 1 where the rule holds, else go on behind it."""
    refused = 7 & ~sum(ACCESS[letter] for letter in rule.access)
    numbers = ((_RESULT, 0), (_TYPE, TYPE[rule.type]), (_MAJOR, rule.major), (_MINOR, rule.minor))
    tests = [(register, number) for register, number in numbers if number is not None]
    allow = [instruction(SET, _RESULT, number=1), instruction(EXIT)]
    return [
        # All that is asked at once, like r and w for a file opened for both, must be allowed: none of it refused.
        instruction(COPY, _RESULT, _ACCESS),
        instruction(AND, _RESULT, number=refused),
        *(
            instruction(SKIP_UNLESS_EQUAL, register, offset=len(tests[place + 1 :]) + len(allow), number=number)
            for place, (register, number) in enumerate(tests)
        ),
        *allow,
    ]
