# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load filters for system calls into the kernel (seccomp(2)). libseccomp.py builds them."""

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


def load_filters(programs: Iterable[bytes]) -> None:
    """Apply all `programs` to this process and its descendants, irrevocably.

    If they differ, the strictest action counts, and of two error numbers that of the later program. Needs CAP_SYS_ADMIN
    in the process's user namespace, or no_new_privs. Raises HostNotCapable.
    """
    for program in programs:
        encoded = _Program(len(program) // INSTRUCTION, program)
        try:
            syscalls.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(encoded))
        except OSError as error:
            raise HostNotCapable(
                f"the kernel refused the filter for system calls ({syscalls.strerror(error)})",
                "use a kernel with CONFIG_SECCOMP_FILTER, or set seccomp: unconfined",
            ) from None


def library_file() -> str:
    """Return the path of libseccomp, whose name contains its version; "" if it is in none of the usual directories.

    Does not load the library, because each start of a container calls this.
    """
    multiarch = getattr(sys.implementation, "_multiarch", "")
    for directory in (f"/usr/lib/{multiarch}", "/usr/lib64", "/usr/lib", f"/lib/{multiarch}", "/lib64", "/lib"):
        path = os.path.join(directory, LIBRARY)
        if os.path.exists(path):
            return os.path.realpath(path)
    return ""
