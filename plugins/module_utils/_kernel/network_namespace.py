# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Named network namespaces, as in ip-netns(8): files in a directory, each with a namespace mounted on it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator

from . import syscalls, user_namespace

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1


def create(path: str, id_map: str | None = None) -> None:
    """Create a network namespace with its loopback up and mount it on `path`, which must not exist.

    With `id_map` (see user_namespace.py) a new user namespace owns it. The calling process is back in its own namespace
    afterwards. The caller must hold the network lock or the lock of the name's owner: two concurrent first calls would
    mount the directory twice (Debian bug 949235).
    """
    _shared_directory(os.path.dirname(path))
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    try:
        with _new(id_map) as process:
            syscalls.mount(f"/proc/{process}/ns/net", path, flags=syscalls.MS_BIND)
    except BaseException:
        os.unlink(path)
        raise


@contextlib.contextmanager
def _new(id_map: str | None) -> Iterator[int | str]:
    """Yield the name in /proc of a process in a new network namespace, for the block."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if id_map is None:
            syscalls.unshare(syscalls.CLONE_NEWNET)
            _loopback_up()
            yield "self"
            return
        with user_namespace.create(id_map, syscalls.CLONE_NEWNET) as process:
            entered = os.open(f"/proc/{process}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                syscalls.setns(entered, syscalls.CLONE_NEWNET)
            finally:
                os.close(entered)
            _loopback_up()
            yield process
    finally:
        syscalls.setns(own, syscalls.CLONE_NEWNET)
        os.close(own)


def exists(path: str) -> bool:
    """Return whether a namespace is mounted on `path`. An interrupted `create` leaves an empty file there."""
    try:
        return os.stat(path).st_dev == os.stat("/proc/self/ns/net").st_dev
    except FileNotFoundError:
        return False


def owner(path: str) -> int | None:
    """Return a descriptor of the user namespace that owns the namespace at `path`; None if it is the caller's own."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return user_namespace.owner(fd)
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Unmount and remove `path` if they exist. The kernel deletes the links with the last process in the namespace."""
    try:
        syscalls.umount2(path, syscalls.MNT_DETACH | syscalls.UMOUNT_NOFOLLOW)
    except OSError as error:
        # EINVAL: a file that is not a mount point.
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _shared_directory(directory: str) -> None:
    """Create the directory and mount it on itself with shared propagation, as ip-netns(8) does.

    So other mount namespaces see the names.
    """
    os.makedirs(directory, mode=0o755, exist_ok=True)
    try:
        syscalls.mount("", directory, "none", syscalls.MS_SHARED | syscalls.MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        syscalls.mount(directory, directory, "none", syscalls.MS_BIND | syscalls.MS_REC)
        syscalls.mount("", directory, "none", syscalls.MS_SHARED | syscalls.MS_REC)


def _loopback_up() -> None:
    """Set the flag UP of lo by ioctl(2) (netdevice(7)), which avoids the cost of a netlink library."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))
