# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User namespaces: create them with an id map, and find the owner of a namespace (user_namespaces(7), ioctl_ns(2))."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from collections.abc import Iterator

from .._errors import EffectFailed, HostNotCapable
from . import rlimits, syscalls

_NS_GET_USERNS = 0xB701
# Seconds after which the process in the new namespaces ends. It is needed for one millisecond.
_LIFETIME = 5


@contextlib.contextmanager
def create(id_map: str, flags: int = 0) -> Iterator[int]:
    """Yield the pid of a process in a new user namespace, and in the others of `flags`, which that one owns.

    `id_map`: a line of /proc/PID/uid_map, for users and groups alike. Root of the map owns the namespace, so the kernel
    counts limits of a user (inotify(7), namespaces(7)) for that id and not for root of the host (kernel/ucount.c).
    Raises HostNotCapable.
    """
    try:
        with rlimits.unlimited_for_namespaces(), syscalls.effective_user(int(id_map.split()[1])):
            child = syscalls.clone_sleeping(syscalls.CLONE_NEWUSER | flags, _LIFETIME)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EINVAL, errno.EPERM):
            raise
        raise HostNotCapable(
            f"this host cannot create a user namespace ({error.strerror})",
            "raise sysctl user.max_user_namespaces, or set userns: host",
        ) from error
    try:
        for name in ("uid_map", "gid_map"):
            fd = os.open(f"/proc/{child}/{name}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, id_map.encode())
            finally:
                os.close(fd)
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def owner(namespace_fd: int) -> int | None:
    """Return a descriptor of the user namespace that owns `namespace_fd`; None if it is the caller's own."""
    found = fcntl.ioctl(namespace_fd, _NS_GET_USERNS)
    os.set_inheritable(found, False)
    if os.path.samestat(os.fstat(found), os.stat("/proc/self/ns/user")):
        os.close(found)
        return None
    return found


def enter(userns_fd: int) -> None:
    """Become root of a user namespace, with all capabilities in it, none outside, and no id of the host.

    Until an exec, processes inside cannot trace this process, because it is not dumpable (ptrace(2)).
    """
    syscalls.setns(userns_fd, syscalls.CLONE_NEWUSER)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def root_id(pid: int) -> int:
    """Return the id of root in the user namespace of process `pid`, as the caller sees it (/proc/PID/uid_map).

    0 if the process is in the caller's user namespace. Raises EffectFailed if the namespace has no id map: a process
    inside can create such a namespace.
    """
    with open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
        first = file.readline().split()
    if not first:
        raise EffectFailed(f"process {pid} is in a user namespace that has no id map", "stop it and start it again")
    return int(first[1])
