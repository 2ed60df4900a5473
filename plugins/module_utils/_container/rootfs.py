# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container's root file system: overlayfs with the image as its read-only lower layers, so a start copies nothing.

If the container has its own range of ids, each layer is an idmapped mount; the files on disk do not change.
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

# First Linux with overlayfs on idmapped mounts (Documentation/filesystems/idmappings.rst).
_KERNEL = (5, 19)


def mount_rootfs(paths: ContainerPaths, layers: Sequence[str], userns_fd: int | None, owner: int) -> None:
    """Mount the root on `paths.rootfs` if it is not mounted: the image's `layers`, topmost first, and the container's.

    `owner` is the host's id of root inside; `userns_fd` the container's user namespace, or None if it has none.
    Device nodes in the root do not work: /dev is a separate mount.
    """
    present = _mounted(paths)
    if paths.rootfs in present:
        return
    # Idmapped mounts of an interrupted start.
    _unmount(present)
    for directory in (paths.upper, paths.work, paths.lower, paths.rootfs):
        # Missing if an interrupted run with recreate has removed them.
        if not os.path.isdir(directory):
            os.mkdir(directory)
            os.chmod(directory, 0o755)
    if os.stat(paths.upper).st_uid == 0:
        # First start. Later this is the owner of the container's root directory, which only processes inside change.
        os.chown(paths.upper, owner, owner)
    if userns_fd is None:
        mount_overlay(paths.rootfs, layers, paths.upper, paths.work)
        return
    with idmapped_layers(layers, paths.lower, userns_fd) as shown:
        mount_overlay(paths.rootfs, shown, paths.upper, paths.work)


@contextlib.contextmanager
def idmapped_layers(layers: Sequence[str], place: str, userns_fd: int) -> Iterator[list[str]]:
    """Paths in `place` at which the layers are mounted during the block, idmapped to the user namespace `userns_fd`.

    An overlay that is mounted from them holds its own references. Raises HostNotCapable.
    """
    shown: list[str] = []
    try:
        for number, layer in enumerate(layers):
            target = os.path.join(place, str(number))
            with contextlib.suppress(FileExistsError):
                os.mkdir(target)
            with _idmap_errors(layer):
                mount_idmapped(layer, target, userns_fd)
            shown.append(target)
        yield shown
    finally:
        _unmount(shown)


@contextlib.contextmanager
def _idmap_errors(layer: str) -> Iterator[None]:
    """Turn OSError into HostNotCapable."""
    try:
        yield
    except OSError as error:
        raise HostNotCapable(
            f"image_dir: the file system of {layer} does not support idmapped mounts ({error.strerror})",
            "move image_dir to ext4, xfs or btrfs (or tmpfs since Linux 6.3), or set userns: host",
        ) from error


def check_kernel(release: str) -> None:
    """Check that this Linux `release` (uname(2)) has overlayfs on idmapped mounts. Raises HostNotCapable if not."""
    if tuple(int(number) for number in re.findall(r"\d+", release)[:2]) < _KERNEL:
        raise HostNotCapable(
            f"userns: Linux {release} has no overlayfs on idmapped mounts, which need {_KERNEL[0]}.{_KERNEL[1]}",
            "update the kernel, or set userns: host",
        )


def check_idmap(layers: Sequence[str], ids: IdRange) -> None:
    """Check that this host can idmap the layers of an image to `ids`. Changes nothing. Raises HostNotCapable if not."""
    check_kernel(os.uname().release)
    with user_namespace.create(ids.map_line) as process:
        fd = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            for layer in layers:
                with _idmap_errors(layer):
                    os.close(clone_idmapped(layer, fd))
        finally:
            os.close(fd)


def is_mounted(paths: ContainerPaths) -> bool:
    """Whether the container's root is mounted, or layers of an interrupted mount are."""
    return bool(_mounted(paths))


def unmount_rootfs(paths: ContainerPaths) -> None:
    """Unmount the root, all mounts below it, and layers of an interrupted mount, deepest first."""
    _unmount(_mounted(paths))


def _unmount(points: Iterable[str]) -> None:
    for point in points:
        syscalls.umount2(point, syscalls.MNT_DETACH | syscalls.UMOUNT_NOFOLLOW)


def _mounted(paths: ContainerPaths) -> list[str]:
    ours = (paths.rootfs, paths.lower)
    found = mount_points_below(paths.directory)
    return [point for point in found if point in ours or point.startswith(tuple(f"{path}/" for path in ours))]
