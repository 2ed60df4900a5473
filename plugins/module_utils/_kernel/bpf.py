# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BPF programs: encode instructions and load a program into the kernel.

Sources: linux/bpf.h, linux/bpf_common.h and the kernel's Documentation/bpf/standardization/instruction-set.rst.
"""

from __future__ import annotations

import ctypes
import struct
import sys

from . import syscalls

_PROG_LOAD = 5


def instruction(operation: int, to: int = 0, source: int = 0, *, offset: int = 0, number: int = 0) -> bytes:
    """Encode a struct bpf_insn: operation, two registers in one byte, offset, immediate number."""
    registers = source << 4 | to if sys.byteorder == "little" else to << 4 | source
    return struct.pack("=BBhi", operation, registers, offset, number)


def load_program(kind: int, code: bytes) -> int:
    """Load `code` as a program of type `kind` (enum bpf_prog_type); return its descriptor, close-on-exec.

    Raises OSError.
    """
    instructions, license_text = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    addresses = ctypes.addressof(instructions), ctypes.addressof(license_text)
    # prog_type, insn_cnt, insns, license
    return syscalls.bpf(_PROG_LOAD, struct.pack("=IIQQ", kind, len(code) // 8, *addresses))
