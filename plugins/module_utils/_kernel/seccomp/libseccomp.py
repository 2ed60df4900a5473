# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libseccomp, in its own words: filters for system calls, built from names (seccomp_init(3) and its neighbours)."""

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


def load() -> ctypes.CDLL:
    """The library. Raises HostNotCapable where it is missing."""
    try:
        lib = ctypes.CDLL(library_file() or LIBRARY)
    except OSError as error:
        raise HostNotCapable(
            f"the library libseccomp cannot be loaded ({error})",
            "install the package libseccomp2, or let containers do without a filter by seccomp: unconfined",
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
    """A filter in the making: what it does with a call for which there is no rule, and for which architectures it is.

    `architectures` are names as SCMP_ARCH_X86_64; the one that the library was built for is always among them, and all
    others are killed. Raises InvalidInput for an architecture that the library does not know.
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
                raise InvalidInput(f"seccomp: libseccomp of this host knows no architecture {name!r}")
            if token not in self.tokens:
                self._check(lib.seccomp_arch_add(self._context, token), f"seccomp_arch_add {name}")
                self.tokens.append(token)
        # A binary tree over the numbers instead of a list from front to back. It is an error with no rules in it.
        self._optimised = False

    def __enter__(self) -> Filter:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._lib.seccomp_release(self._context)

    def add(self, name: str, action: int, comparisons: Sequence[tuple[int, int, int, int]] = ()) -> None:
        """What becomes of the call `name` where all `comparisons` (argument, operator, two numbers) hold.

        Of SCMP_CMP_MASKED_EQ the first number is the mask. A call that the library does not know is left out.
        """
        number = self._lib.seccomp_syscall_resolve_name(name.encode())
        if number == _NR_SCMP_ERROR or action == self._default:
            return
        if not self._optimised:
            # Refused by libraries before 2.5, whose lists do the same more slowly.
            self._lib.seccomp_attr_set(self._context, _CTL_OPTIMIZE, 2)
            self._optimised = True
        array = (_Compare * len(comparisons))(*(_Compare(*comparison) for comparison in comparisons))
        result = self._lib.seccomp_rule_add_array(self._context, action, number, len(comparisons), array)
        self._check(result, f"a rule for {name}")

    def export(self) -> bytes:
        """The program for seccomp(2)."""
        with open(os.memfd_create("filter"), "r+b") as file:
            self._check(self._lib.seccomp_export_bpf(self._context, file.fileno()), "seccomp_export_bpf")
            file.seek(0)
            return file.read()

    def _check(self, result: int, what: str) -> None:
        if result < 0:
            raise EffectFailed(f"libseccomp refused {what}: {os.strerror(-result)}")


def known_up_to_newest(lib: ctypes.CDLL, token: int, names: Collection[str]) -> set[str]:
    """Names of all calls of one architecture that are not newer than the newest of `names`: by number, for a kernel
    gives a new call the next one (Documentation/process/adding-syscalls.rst).
    """
    return {name for name in _table(lib, token, names).values() if name} | set(names)


def numbers(lib: ctypes.CDLL, token: int, names: Collection[str]) -> set[int]:
    """All numbers by which an architecture has the calls `names`."""
    resolve = lib.seccomp_syscall_resolve_name_arch
    # Of a call that once was a part of another (socketcall(2), ipc(2)) the library tells another one than the kernel's.
    listed = {number for number, name in _table(lib, token, names).items() if name in names}
    return listed | {number for number in (resolve(token, name.encode()) for name in names) if number >= 0}


def _table(lib: ctypes.CDLL, token: int, names: Collection[str]) -> dict[int, str]:
    """Names of the calls of one architecture by number, up to the newest of `names`; "" where there is none."""
    resolve = lib.seccomp_syscall_resolve_name_arch
    # Where this architecture's table begins. A few calls of ARM are numbered far beyond its end.
    base = resolve(token, b"read") & ~0xFFF
    table = range(base, base + 0x2000)
    newest = max(
        (number for number in (resolve(token, name.encode()) for name in names) if number in table), default=-1
    )
    return {number: _name(lib, token, number) for number in range(base, newest + 1)}


def audit_architecture(token: int) -> int:
    """What the kernel calls the architecture (linux/audit.h): to it x32 is one of x86_64's two tables."""
    return 0xC000003E if token == 0x4000003E else token


def _name(lib: ctypes.CDLL, token: int, number: int) -> str:
    pointer = lib.seccomp_syscall_resolve_num_arch(token, number)
    if not pointer:
        return ""
    name = ctypes.string_at(pointer).decode()
    _libc.free(pointer)
    return name
