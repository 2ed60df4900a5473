# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tmpfs that belongs to a container's user namespace, so that root inside may change its options.

A file system belongs to the user namespace of the process that mounts it first, and `mount -o remount` requires
CAP_SYS_ADMIN in that one (do_remount() in fs/namespace.c).
"""

from __future__ import annotations

import os
import socket

from .._kernel import syscalls

# Exists everywhere. Only the process that is forked here sees what it mounts there.
_ANYWHERE = "/proc"


def create_tmpfs(userns_fd: int, root_id: int, flags: int, data: str) -> int:
    """Return a descriptor of a detached new tmpfs that belongs to the user namespace `userns_fd`.

    `root_id`: the host's id of root inside, which owns its directory. `flags` and `data` are those of mount(2). Raises
    OSError.
    """
    receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with receiver:
        with sender:
            child = syscalls.clone3()
            if child == 0:
                _send_tmpfs(sender, userns_fd, flags & ~syscalls.MS_RDONLY, data)
        answer, descriptors, _, _ = socket.recv_fds(receiver, 16, 1)
    os.waitpid(child, 0)
    if not descriptors:
        number = int(answer or b"0")
        raise OSError(number, f"mount tmpfs: {os.strerror(number) if number else 'its process was killed'}")
    (tree,) = descriptors
    os.set_inheritable(tree, False)
    os.chown(f"/proc/self/fd/{tree}", root_id, root_id)
    if flags & syscalls.MS_RDONLY:
        syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY)
    return tree


def _send_tmpfs(sender: socket.socket, userns_fd: int, flags: int, data: str) -> None:
    """Send a descriptor of the tmpfs, or the number of an error, and exit."""
    try:
        # As root of the host, with all capabilities in the user namespace: if another user mounts a tmpfs, its options
        # have that user's id on the host (shmem_show_options() in mm/shmem.c), which mount(8) reads and passes on.
        os.setegid(0)
        os.seteuid(0)
        syscalls.setns(userns_fd, syscalls.CLONE_NEWUSER)
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("tmpfs", _ANYWHERE, "tmpfs", flags, data)
        socket.send_fds(sender, [b"0"], [syscalls.open_tree(_ANYWHERE, recursive=False)])
    except OSError as error:
        sender.send(str(error.errno or 0).encode())
    finally:
        os._exit(0)
