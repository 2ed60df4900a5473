# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User namespaces: made with a map, found by what they own (user_namespaces(7), ioctl_ns(2))."""

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
# Seconds that a process is kept for its namespaces. It takes one millisecond.
_AT_MOST = 5


@contextlib.contextmanager
def new(id_map: str, flags: int = 0) -> Iterator[int]:
    """The pid of a process in a new user namespace, and in the others of `flags` which that one owns, for the block.

    `id_map`: a line of /proc/PID/uid_map, for users and groups alike. Its root is the namespace's owner, so what the
    kernel counts for a user (inotify(7), namespaces(7)) is counted for that id and not for the host's root
    (kernel/ucount.c). Raises HostNotCapable.
    """
    try:
        with rlimits.lifted_for_namespaces(), syscalls.effective_user(int(id_map.split()[1])):
            child = syscalls.clone_sleeping(syscalls.CLONE_NEWUSER | flags, _AT_MOST)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EINVAL, errno.EPERM):
            raise
        raise HostNotCapable(
            f"this host makes no user namespace ({error.strerror})",
            "see sysctl user.max_user_namespaces, or set userns: host",
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
    """A descriptor of the user namespace that owns the namespace `namespace_fd`; None where it is the caller's own."""
    found = fcntl.ioctl(namespace_fd, _NS_GET_USERNS)
    os.set_inheritable(found, False)
    if os.path.samestat(os.fstat(found), os.stat("/proc/self/ns/user")):
        os.close(found)
        return None
    return found


def enter(userns_fd: int) -> None:
    """Become root of that user namespace: with all capabilities there and none elsewhere, and none of the host's ids.

    Until an exec the process cannot be traced from inside, for it is not dumpable (ptrace(2)).
    """
    syscalls.setns(userns_fd, syscalls.CLONE_NEWUSER)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def root_id(pid: int) -> int:
    """The caller's id of root in the user namespace of process `pid` (/proc/PID/uid_map); 0 where that is its own.

    Raises EffectFailed where nobody has an id there: who is inside may go on to a namespace of their own.
    """
    with open(f"/proc/{pid}/uid_map", encoding="ascii") as file:
        first = file.readline().split()
    if not first:
        raise EffectFailed(f"process {pid} is in a user namespace that has no ids", "stop it, and start it again")
    return int(first[1])
