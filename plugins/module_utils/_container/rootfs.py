# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container's root file system: overlayfs with the image as its read-only lower layer, so a start copies nothing.

https://docs.kernel.org/filesystems/overlayfs.html
"""

from __future__ import annotations

import errno
import os

from .._errors import EffectFailed
from .._linux import libc
from .._linux.mountinfo import mount_points_below
from .._model.layout import ContainerPaths, ImagePaths


def mount_rootfs(paths: ContainerPaths, image: ImagePaths) -> None:
    """Mount the root on `paths.rootfs`, unless it is. Device nodes in it are dead: /dev is a mount of its own."""
    if is_mounted(paths):
        return
    for path in (image.rootfs, paths.upper, paths.work):
        if any(character in path for character in ",:\\"):
            raise EffectFailed(f"{path} has a ',', ':' or '\\' in it, which overlayfs cannot take", "use other names")
    for directory in (paths.upper, paths.work, paths.rootfs):
        # Missing where making the container anew was interrupted between removing and making them.
        if not os.path.isdir(directory):
            os.mkdir(directory)
            os.chmod(directory, 0o755)
    data = f"lowerdir={image.rootfs},upperdir={paths.upper},workdir={paths.work}"
    try:
        libc.mount("overlay", paths.rootfs, "overlay", libc.MS_NODEV, data)
    except OSError as error:
        if error.errno == errno.ENODEV:
            hint = "this kernel has no overlayfs: modprobe overlay"
        else:
            hint = "the file system of container_dir must be one that overlayfs can write to (ext4, xfs, btrfs, tmpfs)"
        raise EffectFailed(f"overlay on {paths.rootfs}: {error.strerror}", hint) from error


def is_mounted(paths: ContainerPaths) -> bool:
    """Whether anything is mounted on the container's root."""
    return paths.rootfs in mount_points_below(paths.rootfs)


def unmount_rootfs(paths: ContainerPaths) -> None:
    """Unmount all that is at and below the root, the deepest first."""
    for point in mount_points_below(paths.rootfs):
        libc.umount2(point, libc.MNT_DETACH | libc.UMOUNT_NOFOLLOW)
