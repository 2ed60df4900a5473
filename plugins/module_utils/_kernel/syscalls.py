# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls that the os module of Python 3.9 lacks, by their names in the kernel.

Each function raises OSError with the name of the call and the path. Numbers and constants: include/uapi/linux/*.h.
System calls above 424 have the same number on every architecture.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator

from .path_text import to_bytes

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED = 0x20, 0x1000, 0x4000, 0x40000, 0x80000, 0x100000
MNT_DETACH, UMOUNT_NOFOLLOW = 0x2, 0x8

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

CLONE_VM, CLONE_PARENT, CLONE_INTO_CGROUP = 0x100, 0x8000, 0x200000000

PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 4, 23, 24, 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

SYS_open_tree, SYS_move_mount, SYS_clone3, SYS_close_range, SYS_openat2 = 428, 429, 435, 436, 437
SYS_pidfd_getfd, SYS_mount_setattr = 438, 442
_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "loongarch64": 219, "ppc64le": 271, "s390x": 280}
_SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361, "s390x": 351}

RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT = 1, 2, 4, 8, 16
OPEN_TREE_CLONE, AT_RECURSIVE, AT_EMPTY_PATH, MOVE_MOUNT_F_EMPTY_PATH = 1, 0x8000, 0x1000, 4
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8
MOUNT_ATTR_IDMAP = 0x00100000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_libc.umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.unshare.argtypes = [ctypes.c_int]
_libc.setns.argtypes = [ctypes.c_int, ctypes.c_int]
_libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
_libc.sethostname.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_libc.setfsuid.argtypes = _libc.setfsgid.argtypes = [ctypes.c_uint]
_libc.clone.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p]
_libc.syscall.restype = ctypes.c_long

_SLEEP = ctypes.cast(_libc.sleep, ctypes.c_void_p)
# Bytes, with room for a signal handler (sigaltstack(2): MINSIGSTKSZ, and more on newer processors).
_SLEEPER_STACK = ctypes.create_string_buffer(1 << 16)


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


class _MountAttr(ctypes.Structure):
    _fields_ = [
        ("attr_set", ctypes.c_uint64), ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64), ("userns_fd", ctypes.c_uint64),
    ]  # fmt: skip


class _CloneArgs(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup".split()
        )
    ]


_CAPABILITY_VERSION_3 = 0x20080522


class _CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapData(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def strerror(error: OSError) -> str:
    """Return the text of the error number, without the name of the call."""
    return str(error) if error.errno is None else os.strerror(error.errno)


def _check(result: int, call: str, path: str | None = None) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}", path)
    return result


def _syscall(number: int, *args: object) -> int:
    # Plain ints would be passed as 32-bit C ints through the varargs of syscall(2).
    return _libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in args))


def mount(source: str, target: str, fstype: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """mount(2)."""
    _check(
        _libc.mount(
            to_bytes(source), to_bytes(target), fstype.encode() if fstype else None, flags,
            to_bytes(data) if data else None,
        ),
        f"mount {fstype or 'bind'}", target,
    )  # fmt: skip


def umount2(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    _check(_libc.umount2(to_bytes(target), flags), "umount2", target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2); its number differs by architecture, so the C library's wrapper is used."""
    _check(_libc.pivot_root(to_bytes(new_root), to_bytes(put_old)), "pivot_root", new_root)


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, nstype: int = 0) -> None:
    """setns(2)."""
    _check(_libc.setns(fd, nstype), "setns")


def clone3(flags: int = 0, cgroup_fd: int | None = None) -> int:
    """Fork by clone3(2): return 0 in the child, its pid in the parent. `cgroup_fd`: cgroup of version 2 of the child.

    Only for a process with one thread and a child that soon executes a program or ends, because Python's hooks after
    a fork do not run.
    """
    # A child of the caller's parent (CLONE_PARENT) has the caller's exit signal.
    arguments = _CloneArgs(flags=flags, exit_signal=0 if flags & CLONE_PARENT else 17)  # SIGCHLD
    if cgroup_fd is not None:
        arguments.flags |= CLONE_INTO_CGROUP
        arguments.cgroup = cgroup_fd
    return _check(_syscall(SYS_clone3, ctypes.byref(arguments), ctypes.sizeof(arguments)), "clone3")


def clone_sleeping(flags: int, seconds: int) -> int:
    """Create a child with `flags` of clone(2) that sleeps for `seconds` and ends; return its pid. One at a time.

    It creates namespaces, each of which needs a process in it. It shares the memory of the caller, as with vfork(2),
    and runs only sleep(3), because a copy of a Python process costs milliseconds. The caller kills it when it is not
    needed any more; `seconds` limits its life if the caller is killed before.
    """
    top = (ctypes.addressof(_SLEEPER_STACK) + ctypes.sizeof(_SLEEPER_STACK)) & ~15
    return _check(_libc.clone(_SLEEP, top, CLONE_VM | flags | 17, seconds), "clone")


def pidfd_getfd(pidfd: int, fd: int) -> int:
    """pidfd_getfd(2): duplicate descriptor `fd` of the process `pidfd`, closed on exec. Requires Linux 5.6."""
    return _check(_syscall(SYS_pidfd_getfd, pidfd, fd, 0), "pidfd_getfd")


def close_range(first: int, last: int = (1 << 32) - 1) -> None:
    """close_range(2): close the descriptors from `first` to `last`; does nothing if `first` is greater."""
    if first <= last:
        _check(_syscall(SYS_close_range, first, last, 0), "close_range")


def close_all_but(keep: set[int]) -> None:
    """Close every descriptor that is not in `keep`, including the standard streams."""
    first = 0
    for fd in sorted(keep):
        close_range(first, fd - 1)
        first = fd + 1
    close_range(first)


def sethostname(name: str) -> None:
    """sethostname(2)."""
    raw = name.encode()
    _check(_libc.sethostname(raw, len(raw)), "sethostname")


def personality(value: int) -> None:
    """personality(2): how the kernel executes the programs of this process."""
    _check(_libc.personality(ctypes.c_ulong(value)), "personality")


def prctl(option: int, arg2: int = 0, arg3: int = 0) -> int:
    """prctl(2)."""
    return _check(_libc.prctl(option, arg2, arg3, 0, 0), "prctl")


def new_session_keyring() -> None:
    """keyctl(2), KEYCTL_JOIN_SESSION_KEYRING: replace the inherited session keyring by a new, private one."""
    number = _SYS_KEYCTL.get(os.uname().machine)
    # 32-bit programs on a 64-bit kernel have other numbers.
    if number is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return
    try:
        _check(_syscall(number, 1, 0), "keyctl")
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise


def capset(mask: int, inheritable: int = 0) -> None:
    """Set effective and permitted capabilities to `mask` (capset(2)): two 32-bit words."""
    header = _CapHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)()
    for word in (0, 1):
        bits = (mask >> (32 * word)) & 0xFFFFFFFF
        data[word].effective = data[word].permitted = bits
        data[word].inheritable = (inheritable >> (32 * word)) & 0xFFFFFFFF
    _check(_libc.capset(ctypes.byref(header), ctypes.byref(data)), "capset")


def permitted_capabilities() -> int:
    """Return the mask of permitted capabilities of this process (capget(2)). On some hosts even root lacks some."""
    header = _CapHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)()
    _check(_libc.capget(ctypes.byref(header), ctypes.byref(data)), "capget")
    return data[0].permitted | data[1].permitted << 32


def set_file_owner(owner: int) -> None:
    """Create files as user and group `owner` from now on (setfsuid(2)), with unchanged capabilities."""
    if owner:
        permitted = permitted_capabilities()
        _libc.setfsgid(owner)
        _libc.setfsuid(owner)
        # setfsuid(2) has cleared the effective capabilities for files.
        capset(permitted)


@contextlib.contextmanager
def effective_user(uid: int) -> Iterator[None]:
    """Set the effective user of the process to `uid` for the block, with unchanged capabilities (credentials(7)).

    Only for root. The real and saved ids stay, so that the process can return to root.
    """
    permitted = permitted_capabilities()
    os.setresuid(-1, uid, -1)
    try:
        # The change of the user has cleared the effective capabilities.
        capset(permitted)
        yield
    finally:
        os.setresuid(-1, 0, -1)


def openat2(dirfd: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """openat2(2): open `path` relative to `dirfd` with the flags `resolve`. Close-on-exec."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    result = _syscall(SYS_openat2, dirfd, to_bytes(path), ctypes.byref(how), ctypes.sizeof(how))
    return _check(result, "openat2", path)


def fstatfs_type(fd: int) -> int:
    """Return the type of the file system of `fd` (fstatfs(2), f_type: the first 32 bits of the answer)."""
    answer = (ctypes.c_uint32 * 64)()
    _check(_libc.fstatfs(fd, ctypes.byref(answer)), "fstatfs")
    return answer[0]


def open_tree(path: str, recursive: bool = True, dirfd: int = -100) -> int:
    """open_tree(2): return a detached copy of the mount (or mount tree) at `path`. Close-on-exec."""
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC | AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    return _check(_syscall(SYS_open_tree, dirfd, to_bytes(path), flags), "open_tree", path)


def move_mount(tree_fd: int, target_fd: int) -> None:
    """move_mount(2): attach a detached mount to the file or directory `target_fd`."""
    flags = MOVE_MOUNT_F_EMPTY_PATH | 0x40  # MOVE_MOUNT_T_EMPTY_PATH
    _check(_syscall(SYS_move_mount, tree_fd, b"", target_fd, b"", flags), "move_mount")


def mount_setattr(fd: int, attr_set: int = 0, userns_fd: int | None = None, propagation: int = 0) -> None:
    """mount_setattr(2), recursively, on the mount `fd`; with `userns_fd`, map ids by that user namespace.

    `propagation`: MS_SHARED, MS_SLAVE or MS_PRIVATE, 0 to leave it.
    """
    attr = _MountAttr(attr_set, 0, propagation, 0)
    if userns_fd is not None:
        attr.attr_set |= MOUNT_ATTR_IDMAP
        attr.userns_fd = userns_fd
    flags = AT_EMPTY_PATH | AT_RECURSIVE
    result = _syscall(SYS_mount_setattr, fd, b"", flags, ctypes.byref(attr), ctypes.sizeof(attr))
    _check(result, "mount_setattr")


def madvise(address: int, length: int, advice: int) -> bool:
    """madvise(2). Return whether the kernel accepted the advice."""
    return _libc.madvise(address, length, advice) == 0


def bpf(command: int, attributes: bytes) -> int:
    """bpf(2) with the first bytes of its union bpf_attr; the rest is 0."""
    number = _SYS_BPF.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, f"bpf: {os.strerror(errno.ENOSYS)}")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return _check(_syscall(number, command, buffer, len(attributes)), "bpf")
