# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container's root file system: overlayfs with the image as its read-only lower layers, so a start copies nothing.

Where the container has ids of its own each layer is shown under those by an idmapped mount, and stays as it is on disk.
https://docs.kernel.org/filesystems/overlayfs.html, https://docs.kernel.org/filesystems/idmappings.html
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence

from .._engine.id_range import IdRange
from .._engine.paths import ContainerPaths
from .._errors import HostNotCapable
from .._kernel import syscalls, user_namespace
from .._kernel.idmapped_mount import clone_idmapped, mount_idmapped
from .._kernel.mountinfo import mount_points_below
from .._kernel.overlayfs import mount_overlay

# Overlayfs takes layers that are idmapped mounts from here on (Documentation/filesystems/idmappings.rst).
_KERNEL = (5, 19)


def mount_rootfs(paths: ContainerPaths, layers: Sequence[str], userns_fd: int | None, owner: int) -> None:
    """Mount the root on `paths.rootfs`, unless it is: the image's `layers`, upmost first, and the container's own.

    `owner`: the host's id of root inside; `userns_fd`: the user namespace that says so, or None with the host's own.
    Device nodes in it are dead: /dev is a mount of its own.
    """
    present = _mounted(paths)
    if paths.rootfs in present:
        return
    # Idmapped mounts, where a start was killed before it took them away again.
    _unmount(present)
    for directory in (paths.upper, paths.work, paths.lower, paths.rootfs):
        # Missing where making the container anew was interrupted between removing and making them.
        if not os.path.isdir(directory):
            os.mkdir(directory)
            os.chmod(directory, 0o755)
    if os.stat(paths.upper).st_uid == 0:
        # Not started before. Later it is whose the container's root directory is, which only those inside change.
        os.chown(paths.upper, owner, owner)
    if userns_fd is None:
        mount_overlay(paths.rootfs, layers, paths.upper, paths.work)
        return
    with shown_layers(layers, paths.lower, userns_fd) as shown:
        mount_overlay(paths.rootfs, shown, paths.upper, paths.work)


@contextlib.contextmanager
def shown_layers(layers: Sequence[str], place: str, userns_fd: int) -> Iterator[list[str]]:
    """For the block each layer, with the ids of `userns_fd`, is mounted on a directory of its own in `place`: these.

    An overlay that is mounted of them has its own references. Raises HostNotCapable.
    """
    shown: list[str] = []
    try:
        for number, layer in enumerate(layers):
            target = os.path.join(place, str(number))
            with contextlib.suppress(FileExistsError):
                os.mkdir(target)
            with _capable_of(layer):
                mount_idmapped(layer, target, userns_fd)
            shown.append(target)
        yield shown
    finally:
        _unmount(shown)


@contextlib.contextmanager
def _capable_of(layer: str) -> Iterator[None]:
    """OSError as HostNotCapable."""
    try:
        yield
    except OSError as error:
        raise HostNotCapable(
            f"the file system of {layer} cannot show its files under a container's ids ({error.strerror})",
            "have image_dir on ext4, xfs or btrfs (tmpfs from Linux 6.3 on), or set userns: host",
        ) from error


def check_kernel(release: str) -> None:
    """Raises HostNotCapable where that release of Linux (uname(2)) has no overlayfs on idmapped mounts."""
    if tuple(int(number) for number in re.findall(r"\d+", release)[:2]) < _KERNEL:
        raise HostNotCapable(
            f"Linux {release} is too old for user namespaces with overlayfs, which need {_KERNEL[0]}.{_KERNEL[1]}",
            "update the kernel, or set userns: host",
        )


def check_idmap(layers: Sequence[str], ids: IdRange) -> None:
    """Raises HostNotCapable where this host cannot show an image's layers under a container's ids. Changes nothing."""
    check_kernel(os.uname().release)
    with user_namespace.new(ids.map_line) as process:
        fd = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            for layer in layers:
                with _capable_of(layer):
                    os.close(clone_idmapped(layer, fd))
        finally:
            os.close(fd)


def is_mounted(paths: ContainerPaths) -> bool:
    """Whether anything is mounted on the container's root, or left of mounting it."""
    return bool(_mounted(paths))


def unmount_rootfs(paths: ContainerPaths) -> None:
    """Unmount all that is at and below the root, and what is left of mounting it, the deepest first."""
    _unmount(_mounted(paths))


def _unmount(points: Iterable[str]) -> None:
    for point in points:
        syscalls.umount2(point, syscalls.MNT_DETACH | syscalls.UMOUNT_NOFOLLOW)


def _mounted(paths: ContainerPaths) -> list[str]:
    ours = (paths.rootfs, paths.lower)
    found = mount_points_below(paths.directory)
    return [point for point in found if point in ours or point.startswith(tuple(f"{path}/" for path in ours))]
