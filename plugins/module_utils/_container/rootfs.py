# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container's root file system: overlayfs with the image as its read-only lower layer, so a start copies nothing.

Where the container has ids of its own the image is shown under those by an idmapped mount, and stays as it is on disk.
https://docs.kernel.org/filesystems/overlayfs.html, https://docs.kernel.org/filesystems/idmappings.html
"""

from __future__ import annotations

import errno
import os
import re

from .._errors import EffectFailed, HostNotCapable
from .._linux import libc, userns
from .._linux.mountinfo import mount_points_below
from .._model.ids import IdRange
from .._model.layout import ContainerPaths, ImagePaths

# Overlayfs takes layers that are idmapped mounts from here on (Documentation/filesystems/idmappings.rst).
_KERNEL = (5, 19)


def mount_rootfs(paths: ContainerPaths, image: ImagePaths, userns_fd: int | None, owner: int) -> None:
    """Mount the root on `paths.rootfs`, unless it is. Device nodes in it are dead: /dev is a mount of its own.

    `owner`: the host's id of root inside; `userns_fd`: the user namespace that says so, or None with the host's own.
    """
    present = _mounted(paths)
    if paths.rootfs in present:
        return
    for point in present:
        # An idmapped mount, where a start was killed before it took that away again.
        libc.umount2(point, libc.MNT_DETACH | libc.UMOUNT_NOFOLLOW)
    for path in (image.rootfs, paths.upper, paths.work):
        if any(character in path for character in ",:\\"):
            raise EffectFailed(f"{path} has a ',', ':' or '\\' in it, which overlayfs cannot take", "use other names")
    for directory in (paths.upper, paths.work, paths.lower, paths.rootfs):
        # Missing where making the container anew was interrupted between removing and making them.
        if not os.path.isdir(directory):
            os.mkdir(directory)
            os.chmod(directory, 0o755)
    if os.stat(paths.upper).st_uid == 0:
        # Not started before. Later it is whose the container's root directory is, which only those inside change.
        os.chown(paths.upper, owner, owner)
    if userns_fd is None:
        _mount_overlay(paths, image.rootfs)
        return
    _mount_idmapped(image.rootfs, paths.lower, userns_fd)
    try:
        _mount_overlay(paths, paths.lower)
    finally:
        # Overlayfs has its own reference.
        libc.umount2(paths.lower, libc.MNT_DETACH | libc.UMOUNT_NOFOLLOW)


def _mount_overlay(paths: ContainerPaths, lower: str) -> None:
    data = f"lowerdir={lower},upperdir={paths.upper},workdir={paths.work}"
    try:
        libc.mount("overlay", paths.rootfs, "overlay", libc.MS_NODEV, data)
    except OSError as error:
        if error.errno == errno.ENODEV:
            hint = "this kernel has no overlayfs: modprobe overlay"
        else:
            hint = "the file system of container_dir must be one that overlayfs can write to (ext4, xfs, btrfs, tmpfs)"
        raise EffectFailed(f"overlay on {paths.rootfs}: {error.strerror}", hint) from error


def _mount_idmapped(source: str, target: str, userns_fd: int) -> None:
    target_fd = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        tree = _idmapped(source, userns_fd)
        try:
            libc.move_mount(tree, target_fd)
        finally:
            os.close(tree)
    finally:
        os.close(target_fd)


def _idmapped(source: str, userns_fd: int) -> int:
    """A detached, read-only mount of `source` with the ids of `userns_fd`. Raises HostNotCapable."""
    tree = libc.open_tree(source, recursive=False)
    try:
        libc.mount_setattr(tree, libc.MOUNT_ATTR_RDONLY, userns_fd)
    except OSError as error:
        os.close(tree)
        raise HostNotCapable(
            f"the file system of {source} cannot show its files under a container's ids ({error.strerror})",
            "have image_dir on ext4, xfs or btrfs (tmpfs from Linux 6.3 on), or set userns: host",
        ) from error
    return tree


def check_kernel(release: str) -> None:
    """Raises HostNotCapable where that release of Linux (uname(2)) has no overlayfs on idmapped mounts."""
    if tuple(int(number) for number in re.findall(r"\d+", release)[:2]) < _KERNEL:
        raise HostNotCapable(
            f"Linux {release} is too old for user namespaces with overlayfs, which need {_KERNEL[0]}.{_KERNEL[1]}",
            "update the kernel, or set userns: host",
        )


def check_idmap(image: ImagePaths, ids: IdRange) -> None:
    """Raises HostNotCapable where this host cannot show the image's files under a container's ids. Changes nothing."""
    check_kernel(os.uname().release)
    with userns.new(ids.map_line) as process:
        fd = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.close(_idmapped(image.rootfs, fd))
        finally:
            os.close(fd)


def is_mounted(paths: ContainerPaths) -> bool:
    """Whether anything is mounted on the container's root, or left of mounting it."""
    return bool(_mounted(paths))


def unmount_rootfs(paths: ContainerPaths) -> None:
    """Unmount all that is at and below the root, and what is left of mounting it, the deepest first."""
    for point in _mounted(paths):
        libc.umount2(point, libc.MNT_DETACH | libc.UMOUNT_NOFOLLOW)


def _mounted(paths: ContainerPaths) -> list[str]:
    ours = (paths.rootfs, paths.lower)
    found = mount_points_below(paths.directory)
    return [point for point in found if point in ours or point.startswith(tuple(f"{path}/" for path in ours))]
