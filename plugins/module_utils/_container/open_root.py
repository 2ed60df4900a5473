# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root of a container as those inside see it, whether it runs or not, for who reads or writes a file there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from .._errors import Conflict, EffectFailed
from .._linux import libc, userns
from .._linux.mountinfo import mount_points_below
from .._model.container import ContainerSpec
from .._model.layout import ContainerPaths, ImagePaths
from .._store import containers as store
from .._store.ids import read_ids
from .._store.settings import Settings
from .rootfs import mount_rootfs


@contextlib.contextmanager
def open_root(settings: Settings, paths: ContainerPaths, spec: ContainerSpec, writable: bool) -> Iterator[int]:
    """A descriptor (O_PATH) of the root directory for the block.

    Raises Conflict, Damaged, EffectFailed, HostNotCapable.

    Of a container that runs it is the root of its first process, with all that is mounted there. Of another one it is
    its layer over its image, mounted where nobody else sees it: it is gone with the descriptor, also if we are killed.
    `writable` is for who holds the container's lock; without, nothing at all is changed, no owner and no directory.
    """
    fd = _open_running(paths)
    if fd is None:
        fd = _open_stopped(settings, paths, spec, writable)
    try:
        yield fd
    finally:
        os.close(fd)


def _open_running(paths: ContainerPaths) -> int | None:
    process = store.process_in(store.read_run_state(paths))
    # Before it has executed its program its root is the host's.
    if process is None or not process.wait_executed():
        return None
    try:
        fd = os.open(f"/proc/{process.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Looked at after opening: had the pid passed to another process meanwhile, it would be that one's root.
    if process.alive():
        return fd
    os.close(fd)
    return None


def _open_stopped(settings: Settings, paths: ContainerPaths, spec: ContainerSpec, writable: bool) -> int:
    if paths.rootfs in mount_points_below(paths.directory):
        # It ended a moment ago, or pauses before it is started again.
        return _open(paths.rootfs)
    image = ImagePaths.of(settings.image_dir, spec.image)
    for directory in (image.rootfs, paths.upper, paths.work, paths.lower, paths.rootfs):
        if not os.path.isdir(directory):
            raise Conflict(f"container {paths.name} has no {directory}", "make it whole with conductor_container first")
    ids = read_ids(paths)
    with contextlib.ExitStack() as stack:
        userns_fd = None
        if ids is not None:
            process = stack.enter_context(userns.new(ids.map_line))
            userns_fd = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, userns_fd)
        stack.enter_context(_own_mounts())
        if writable:
            mount_rootfs(paths, image, userns_fd, ids.base if ids else 0)
        else:
            _show(paths, image, userns_fd)
        # It outlives the namespace that it is mounted in, as after umount2(2) with MNT_DETACH.
        return _open(paths.rootfs)


def _open(directory: str) -> int:
    return os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


@contextlib.contextmanager
def _own_mounts() -> Iterator[None]:
    """For the block we are in a mount namespace of our own, which goes with it (mount_namespaces(7))."""
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    working_dir = os.open(".", os.O_PATH | os.O_CLOEXEC)
    try:
        libc.unshare(libc.CLONE_NEWNS)
        try:
            libc.mount("", "/", None, libc.MS_PRIVATE | libc.MS_REC)
            yield
        finally:
            libc.setns(own, libc.CLONE_NEWNS)
            os.fchdir(working_dir)
    finally:
        os.close(working_dir)
        os.close(own)


def _show(paths: ContainerPaths, image: ImagePaths, userns_fd: int | None) -> None:
    """Mount the root read only: overlayfs with two lower layers writes to neither."""
    lower = image.rootfs
    try:
        if userns_fd is not None:
            lower = paths.lower
            _mount_idmapped(image.rootfs, lower, userns_fd)
        data = f"lowerdir={paths.upper}:{lower}"
        libc.mount("overlay", paths.rootfs, "overlay", libc.MS_RDONLY | libc.MS_NODEV, data)
    except OSError as error:
        raise EffectFailed(
            f"the root of container {paths.name} cannot be looked at while it is stopped ({error.strerror})",
            "start it, and run this again",
        ) from error


def _mount_idmapped(source: str, target: str, userns_fd: int) -> None:
    tree = libc.open_tree(source, recursive=False)
    try:
        libc.mount_setattr(tree, libc.MOUNT_ATTR_RDONLY, userns_fd)
        target_fd = _open(target)
        try:
            libc.move_mount(tree, target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(tree)
