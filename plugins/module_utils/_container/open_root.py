# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root of a container as those inside see it, whether it runs or not, for who reads or writes a file there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from .._engine.container_records import process_in, read_run_state
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import Conflict, EffectFailed
from .._image.store import image_layers
from .._kernel import syscalls, user_namespace
from .._kernel.mount_namespace import own_mounts
from .._kernel.mountinfo import mount_points_below
from .._kernel.overlayfs import mount_overlay
from .id_ranges import read_ids
from .rootfs import mount_rootfs, shown_layers
from .spec.container import ContainerSpec


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
    process = process_in(read_run_state(paths))
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
    layers = image_layers(settings.image_dir, spec.image)
    for directory in (*layers, paths.upper, paths.work, paths.lower, paths.rootfs):
        if not os.path.isdir(directory):
            raise Conflict(f"container {paths.name} has no {directory}", "make it whole with conductor_container first")
    ids = read_ids(paths)
    with contextlib.ExitStack() as stack:
        userns_fd = None
        if ids is not None:
            process = stack.enter_context(user_namespace.new(ids.map_line))
            userns_fd = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, userns_fd)
        stack.enter_context(own_mounts())
        if writable:
            mount_rootfs(paths, layers, userns_fd, ids.base if ids else 0)
        else:
            _show(paths, layers, userns_fd)
        # It outlives the namespace that it is mounted in, as after umount2(2) with MNT_DETACH.
        return _open(paths.rootfs)


def _open(directory: str) -> int:
    return os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _show(paths: ContainerPaths, layers: Sequence[str], userns_fd: int | None) -> None:
    """Mount the root read only: overlayfs with lower layers alone writes to none."""
    try:
        if userns_fd is None:
            mount_overlay(paths.rootfs, [paths.upper, *layers])
            return
        # The mount points are made where nobody sees them.
        syscalls.mount("tmpfs", paths.lower, "tmpfs", syscalls.MS_NODEV | syscalls.MS_NOSUID, "size=64k,mode=700")
        with shown_layers(layers, paths.lower, userns_fd) as shown:
            mount_overlay(paths.rootfs, [paths.upper, *shown])
    except (OSError, EffectFailed) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message
        raise EffectFailed(
            f"the root of container {paths.name} cannot be looked at while it is stopped ({reason})",
            "start it, and run this again",
        ) from error
