# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""/dev of a container."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from .._kernel import syscalls
from .._kernel.path_text import to_bytes
from .devices import stat_device
from .kernel_files import NO_SYMLINKS, SAFE
from .mount_root import MountRoot
from .spec.devices import LINKS, MOUNT_POINTS, STANDARD_NODES, Device

_FLAGS, _DATA = syscalls.MS_NOSUID | syscalls.MS_NOEXEC, "mode=755,size=64k"


def mount_private_dev(inside: MountRoot, devices: tuple[Device, ...], shm_size: int) -> None:
    """Mount a /dev of the container's own: a tmpfs with the standard nodes, the terminals, `devices`, and /dev/shm.

    `shm_size` is in bytes. Raises OSError, EffectFailed.
    """
    # Device nodes work in this tmpfs, since the host mounts it; processes inside cannot create any.
    inside.mount("/dev", "tmpfs", _FLAGS, _DATA)
    with _opened_dev(inside) as dev_fd:
        nodes = _make_nodes(dev_fd, devices)
        if inside.is_machine:
            _own_dev(inside, dev_fd, nodes)
    with _opened_dev(inside) as dev_fd:
        for name in MOUNT_POINTS:
            os.mkdir(name, 0o755, dir_fd=dev_fd)
        for name, to in LINKS.items():
            os.symlink(to, name, dir_fd=dev_fd)
    # gid 5 is tty in Debian's base-passwd, the group that grantpt(3) gives terminals.
    terminals = f"newinstance,ptmxmode=0666,mode=620,gid={inside.root_id + 5}"
    inside.mount("/dev/pts", "devpts", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, terminals)
    # systemd lets a machine execute programs there.
    flags = SAFE & ~syscalls.MS_NOEXEC if inside.is_machine else SAFE
    inside.mount_tmpfs(["dev", "shm"], flags, f"mode=1777,size={shm_size}")


def mount_host_dev(inside: MountRoot) -> None:
    """Bind the /dev of the host. Raises OSError, EffectFailed."""
    with inside.target("/dev") as target:
        syscalls.mount("/dev", target, None, syscalls.MS_BIND | syscalls.MS_REC)


@contextlib.contextmanager
def _opened_dev(inside: MountRoot) -> Iterator[int]:
    fd = syscalls.openat2(inside.root_fd, "dev", os.O_RDONLY | os.O_DIRECTORY, NO_SYMLINKS)
    try:
        yield fd
    finally:
        os.close(fd)


def _make_nodes(dev_fd: int, devices: tuple[Device, ...]) -> list[str]:
    """Create all nodes, owned by root inside; return their paths below /dev. Those of the host keep their modes."""
    nodes = {name: (stat.S_IFCHR | 0o666, os.makedev(major, minor)) for name, major, minor in STANDARD_NODES}
    for device in devices:
        found = stat_device(device)
        nodes[device.target.split("/", 2)[2]] = (found.st_mode, found.st_rdev)
    for path, (mode, number) in nodes.items():
        made = ""
        for parent in path.split("/")[:-1]:
            made += f"{parent}/"
            with contextlib.suppress(FileExistsError):
                os.mkdir(to_bytes(made), 0o755, dir_fd=dev_fd)
        os.mknod(to_bytes(path), mode, number, dir_fd=dev_fd)
    return list(nodes)


def _own_dev(inside: MountRoot, dev_fd: int, nodes: list[str]) -> None:
    """Replace the tmpfs `dev_fd` by one that belongs to the user namespace, with each of `nodes` mounted in it.

    Nodes of such a file system itself do not work (SB_I_NODEV of the kernel).
    """
    trees = [syscalls.open_tree(node, recursive=False, dirfd=dev_fd) for node in nodes]
    try:
        syscalls.umount2(f"/proc/self/fd/{dev_fd}", syscalls.MNT_DETACH)
        inside.mount_tmpfs(["dev"], _FLAGS, _DATA)
        for node, tree in zip(nodes, trees):
            inside.attach(tree, ["dev", *node.split("/")], directory=False)
    finally:
        for tree in trees:
            os.close(tree)
