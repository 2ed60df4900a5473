# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bindings of libseccomp: build filters for system calls from names (seccomp_init(3) and related pages)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection, Iterable, Sequence

from ..._errors import EffectFailed, HostNotCapable, InvalidInput
from .load_filter import LIBRARY, library_file

_CTL_OPTIMIZE = 8
_NR_SCMP_ERROR = -1

_libc = ctypes.CDLL(None)
_libc.free.argtypes = [ctypes.c_void_p]


class _Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def load_library() -> ctypes.CDLL:
    """Load libseccomp and declare its functions. Raises HostNotCapable if it is missing."""
    try:
        lib = ctypes.CDLL(library_file() or LIBRARY)
    except OSError as error:
        raise HostNotCapable(
            f"the library libseccomp cannot be loaded ({error})",
            "install the package libseccomp2, or set seccomp: unconfined to run containers without a filter",
        ) from None
    lib.seccomp_init.restype = lib.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    lib.seccomp_init.argtypes = [ctypes.c_uint32]
    lib.seccomp_release.argtypes = [ctypes.c_void_p]
    lib.seccomp_arch_native.restype = lib.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    lib.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    lib.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    lib.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_Compare),
    ]  # fmt: skip
    lib.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lib.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    lib.seccomp_syscall_resolve_num_arch.argtypes = [ctypes.c_uint32, ctypes.c_int]
    return lib


class Filter:
    """A filter under construction. `default`: the action for system calls without a rule.

    `architectures`: names like SCMP_ARCH_X86_64. The native architecture of the library is always included; a process
    that makes a call of any other architecture is killed. Raises InvalidInput if the library does not know one.
    """

    def __init__(self, lib: ctypes.CDLL, default: int, architectures: Iterable[str]) -> None:
        self._lib = lib
        self._default = default
        self._context = lib.seccomp_init(default)
        if not self._context:
            raise EffectFailed(f"seccomp_init refused the default action {default:#x}")
        self.tokens = [lib.seccomp_arch_native()]
        for name in architectures:
            token = lib.seccomp_arch_resolve_name(name.replace("SCMP_ARCH_", "").lower().encode())
            if not token:
                raise InvalidInput(f"seccomp: libseccomp of this host does not know the architecture {name!r}")
            if token not in self.tokens:
                self._check(lib.seccomp_arch_add(self._context, token), f"seccomp_arch_add {name}")
                self.tokens.append(token)
        # Whether the filter is a binary tree over the numbers instead of a list. A tree without rules is an error.
        self._is_optimized = False

    def __enter__(self) -> Filter:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._lib.seccomp_release(self._context)

    def add(self, name: str, action: int, comparisons: Sequence[tuple[int, int, int, int]] = ()) -> bool:
        """Add a rule: `action` for the call `name` if all `comparisons` (argument, operator, two numbers) are true.

        For SCMP_CMP_MASKED_EQ the first number is the mask. Returns False without a rule if the library does not know
        the call on any architecture.
        """
        number = self._lib.seccomp_syscall_resolve_name(name.encode())
        if number == _NR_SCMP_ERROR:
            return False
        if action == self._default:
            return True
        if not self._is_optimized:
            # Libraries before 2.5 refuse this; their lists have the same effect and are slower.
            self._lib.seccomp_attr_set(self._context, _CTL_OPTIMIZE, 2)
            self._is_optimized = True
        array = (_Compare * len(comparisons))(*(_Compare(*comparison) for comparison in comparisons))
        result = self._lib.seccomp_rule_add_array(self._context, action, number, len(comparisons), array)
        self._check(result, f"a rule for {name}")
        return True

    def export(self) -> bytes:
        """Return the program for seccomp(2)."""
        with open(os.memfd_create("filter"), "r+b") as file:
            self._check(self._lib.seccomp_export_bpf(self._context, file.fileno()), "seccomp_export_bpf")
            file.seek(0)
            return file.read()

    def _check(self, result: int, what: str) -> None:
        if result < 0:
            raise EffectFailed(f"libseccomp refused {what}: {os.strerror(-result)}")


def calls_up_to_newest(lib: ctypes.CDLL, token: int, names: Collection[str]) -> set[str]:
    """Return the names of all calls of one architecture up to the newest of `names`.

    The age is derived from the number: each new call gets the next one (Documentation/process/adding-syscalls.rst).
    """
    return {name for name in _table(lib, token, names).values() if name} | set(names)


def numbers(lib: ctypes.CDLL, token: int, names: Collection[str]) -> set[int]:
    """Return all numbers of the calls `names` on an architecture."""
    resolve = lib.seccomp_syscall_resolve_name_arch
    # For a call that was once a part of another (socketcall(2), ipc(2)), the library returns a number of its own.
    listed = {number for number, name in _table(lib, token, names).items() if name in names}
    return listed | {number for number in (resolve(token, name.encode()) for name in names) if number >= 0}


def _table(lib: ctypes.CDLL, token: int, names: Collection[str]) -> dict[int, str]:
    """Return the names of the calls of one architecture by number, up to the newest of `names`; "" if unused."""
    resolve = lib.seccomp_syscall_resolve_name_arch
    # The first number of the table of this architecture. A few calls of ARM have numbers far beyond the table.
    base = resolve(token, b"read") & ~0xFFF
    table = range(base, base + 0x2000)
    newest = max(
        (number for number in (resolve(token, name.encode()) for name in names) if number in table), default=-1
    )
    return {number: call_name(lib, token, number) for number in range(base, newest + 1)}


def audit_architecture(token: int) -> int:
    """Return the kernel's number of the architecture (linux/audit.h). There x32 is one of two tables of x86_64."""
    return 0xC000003E if token == 0x4000003E else token


def call_name(lib: ctypes.CDLL, token: int, number: int) -> str:
    """Return the name of a system call of the architecture `token`; "" for an unused number."""
    pointer = lib.seccomp_syscall_resolve_num_arch(token, number)
    if not pointer:
        return ""
    name = ctypes.string_at(pointer).decode()
    _libc.free(pointer)
    return name
