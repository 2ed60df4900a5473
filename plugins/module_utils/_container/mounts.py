# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of a container besides its root file system: /proc, /sys, /dev, and those of the option mounts.

Runs in the container's own mount namespace, before pivot_root. Symlinks of the root itself in a target of the option
are resolved before that, while no process inside runs.
Conventions: https://systemd.io/CONTAINER_INTERFACE and the OCI runtime specification (config-linux.md).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping

from .._engine.id_range import IdRange
from .._errors import EffectFailed, HostNotCapable
from .._kernel import syscalls, user_namespace
from .._kernel.path_text import display_path, to_text
from .kernel_files import (
    NO_SYMLINKS,
    SAFE,
    make_boot_id,
    protect_sysctls_of_host,
    restrict_kernel_files,
    show_boot_id,
    show_lxcfs,
)
from .mount_root import MountRoot
from .private_dev import mount_host_dev, mount_private_dev
from .propagation import open_source
from .spec.container import ContainerSpec
from .spec.mounts import Mount
from .systemd_files import write_systemd_files

# Limit of the kernel (path_resolution(7)).
_MAX_LINKS = 40
_RESERVED = ("proc", "sys", "dev")
# A procfs on which nothing is mounted. Without one, the kernel lets no container inside mount its own
# (mnt_already_visible() in fs/namespace.c). LXC has /dev/.lxc/proc.
NESTED_PROC = "/dev/.conductor/proc"


def mount_all(
    root: str, spec: ContainerSpec, root_id: int, userns_fd: int | None, propagating: Mapping[str, int]
) -> None:
    """Mount everything that `spec` requires below `root` (a mount point in this namespace).

    `root_id` is the host's id of root inside, `propagating` what `open_propagating` has opened. Requires that the umask
    of this process is 0, and that files that it creates belong to `root_id`. Raises OSError, EffectFailed,
    HostNotCapable.
    """
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    inside = MountRoot(root_fd, root_id, userns_fd, spec.is_machine)
    try:
        privileged = spec.privileged
        inside.mount("/proc", "tmpfs", SAFE, "size=4k,mode=555")
        boot_id = make_boot_id(root_fd)
        inside.mount("/proc", "proc", SAFE)
        inside.mount("/sys", "sysfs", SAFE | (0 if privileged else syscalls.MS_RDONLY))
        mount_cgroup(inside, writable=spec.cgroup_writable)
        mount_host_dev(inside) if spec.dev == "host" else mount_private_dev(inside, spec.devices, spec.shm_size)
        if not privileged:
            restrict_kernel_files(root_fd, own_sysctls=spec.is_machine)
        elif userns_fd is None:
            protect_sysctls_of_host(root_fd)
        elif spec.dev == "private":
            inside.mount(NESTED_PROC, "proc", SAFE)
        show_boot_id(root_fd, boot_id)
        show_lxcfs(root_fd)
        if spec.init:
            for directory, mode in (("run", "755"), ("run/lock", "1777"), ("tmp", "1777")):
                inside.mount_tmpfs(directory.split("/"), syscalls.MS_NOSUID | syscalls.MS_NODEV, f"mode={mode}")
        if spec.is_machine:
            write_systemd_files(root_fd)
        # Before any of them is mounted: only symlinks of the root are followed, never those in a shared volume.
        targets = [(_resolve(root_fd, mount.target), mount) for mount in spec.mounts]
        for target, mount in sorted(targets, key=lambda pair: pair[0]):
            _bind(inside, mount, target, propagating) if mount.type == "bind" else _tmpfs(inside, mount, target)
    finally:
        os.close(root_fd)


def _resolve(root_fd: int, path: str) -> list[str]:
    """Components of `path` after following its symlinks within the root (a merged /usr has some).

    Components that do not exist are kept. The result is opened later without following symlinks. Raises EffectFailed if
    it is in /proc, /sys or /dev, which are not part of the root.
    """
    todo, links = path.split("/"), 0
    done: list[str] = []
    while todo:
        part = todo.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            done = done[:-1]
            continue
        done.append(part)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            fd = syscalls.openat2(root_fd, "/".join(done), os.O_PATH | os.O_NOFOLLOW, NO_SYMLINKS)
            try:
                if not stat.S_ISLNK(os.fstat(fd).st_mode):
                    continue
                to = to_text(os.readlink(b"", dir_fd=fd))
            finally:
                os.close(fd)
            links += 1
            if links > _MAX_LINKS:
                raise EffectFailed(f"mounts: target {path}: too many symlinks in the path", "choose another target")
            done = [] if to.startswith("/") else done[:-1]
            todo = [*to.split("/"), *todo]
    if not done or (done[0] in _RESERVED and done != path.strip("/").split("/")):
        raise EffectFailed(
            f"mounts: target {path} leads through a symlink to /{display_path('/'.join(done))}, which conductor "
            "mounts itself",
            "choose another target",
        )
    return done


def mount_cgroup(inside: MountRoot, writable: bool) -> None:
    """Mount the container's own cgroup as the root of version 2, where systemd inside expects it."""
    try:
        inside.mount("/sys/fs/cgroup", "cgroup2", SAFE | (0 if writable else syscalls.MS_RDONLY))
    except OSError as error:
        # A kernel with version 1 only has no such file system, so that nothing inside can need it.
        if error.errno != errno.ENODEV:
            raise


def _bind(inside: MountRoot, mount: Mount, target: list[str], propagating: Mapping[str, int]) -> None:
    opened = propagating.get(mount.target)
    tree = open_source(mount) if opened is None else os.dup(opened)
    try:
        kind = os.fstat(tree).st_mode
        attributes = syscalls.MOUNT_ATTR_RDONLY if mount.read_only else 0
        if stat.S_ISDIR(kind):
            # Device nodes in a shared directory must not work; a device that is itself the source must.
            attributes |= syscalls.MOUNT_ATTR_NODEV
        _set_attributes(tree, attributes, mount, inside.userns_fd if mount.idmap else None)
        with _mount_errors(mount):
            inside.attach(tree, target, stat.S_ISDIR(kind))
    finally:
        os.close(tree)


def check_idmapped(mounts: Iterable[Mount], ids: IdRange) -> None:
    """Check that the sources of `mounts` can be idmapped to `ids`. Changes nothing.

    Raises HostNotCapable if a file system does not support idmapped mounts.
    """
    with user_namespace.create(ids.map_line) as process:
        userns_fd = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            for mount in mounts:
                tree = syscalls.open_tree(mount.source)
                try:
                    _set_attributes(tree, 0, mount, userns_fd)
                finally:
                    os.close(tree)
        finally:
            os.close(userns_fd)


@contextlib.contextmanager
def _mount_errors(mount: Mount) -> Iterator[None]:
    """Turn OSError into EffectFailed with the option, both paths and the remedy."""
    try:
        yield
    except OSError as error:
        both = f"{mount.source} on {mount.target}" if mount.source else mount.target
        remedy = {
            errno.EROFS: "create the target in the source of the read-only mount that contains it",
            errno.ENOTDIR: "make both a directory, or both a file",
            # move_mount(2) fails with this for a file on a directory and vice versa.
            errno.EINVAL: "make both a directory, or both a file",
        }.get(error.errno or 0, "choose another target")
        raise EffectFailed(f"mounts: {both}: {syscalls.strerror(error)}", remedy) from error


def _set_attributes(tree: int, attributes: int, mount: Mount, userns_fd: int | None) -> None:
    if not attributes and userns_fd is None:
        return
    try:
        syscalls.mount_setattr(tree, attributes, userns_fd)
    except OSError as error:
        if userns_fd is None or error.errno != errno.EINVAL:
            raise
        raise HostNotCapable(
            f"mounts: the file system of {mount.source}, or one mounted below it, does not support idmapped mounts",
            f"set idmap: false for {mount.target}",
        ) from error


def _tmpfs(inside: MountRoot, mount: Mount, target: list[str]) -> None:
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | (syscalls.MS_RDONLY if mount.read_only else 0)
    data = f"mode={mount.mode:o}{f',size={mount.size}' if mount.size else ''}"
    with _mount_errors(mount):
        inside.mount_tmpfs(target, flags, data)
