# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for system calls as the kernel takes them (seccomp(2)); libseccomp.py makes them."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable

from ..._errors import HostNotCapable
from .. import syscalls

LIBRARY = "libseccomp.so.2"
# linux/bpf_common.h; an instruction is a struct sock_filter of 8 bytes.
INSTRUCTION, MOST_INSTRUCTIONS = 8, 4096

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def load(programs: Iterable[bytes]) -> None:
    """Put this process and all that follow from it under each of `programs`, for good.

    Where they differ the stricter counts, and of two error numbers that of the later program. Needs CAP_SYS_ADMIN in
    the process's user namespace, or no_new_privs. Raises HostNotCapable.
    """
    for program in programs:
        kernels = _Program(len(program) // INSTRUCTION, program)
        try:
            syscalls.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(kernels))
        except OSError as error:
            raise HostNotCapable(
                f"the kernel refused the filter for system calls ({syscalls.reason(error)})",
                "it needs CONFIG_SECCOMP_FILTER; seccomp: unconfined does without",
            ) from None


def library_file() -> str:
    """The file of libseccomp, whose name tells its version; "" where it is not in a usual place.

    Does not load it: this is part of every start.
    """
    multiarch = getattr(sys.implementation, "_multiarch", "")
    for directory in (f"/usr/lib/{multiarch}", "/usr/lib64", "/usr/lib", f"/lib/{multiarch}", "/lib64", "/lib"):
        path = os.path.join(directory, LIBRARY)
        if os.path.exists(path):
            return os.path.realpath(path)
    return ""
