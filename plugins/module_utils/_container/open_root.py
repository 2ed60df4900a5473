# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to the root of a running or stopped container as its processes see it, to read or write files."""

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
from .._kernel.mount_namespace import private_mount_namespace
from .._kernel.mountinfo import mount_points_below
from .._kernel.overlayfs import mount_overlay
from .id_ranges import read_ids
from .rootfs import idmapped_layers, mount_rootfs
from .spec.container import ContainerSpec


@contextlib.contextmanager
def open_root(settings: Settings, paths: ContainerPaths, spec: ContainerSpec, writable: bool) -> Iterator[int]:
    """A descriptor (O_PATH) of the root directory during the block.

    If the container runs, it is the root of its first process, with all mounts. If not, it is its layer over its image,
    mounted in a private mount namespace: the mount ends with the descriptor, even if this process is killed.
    `writable` requires the container's lock; without it nothing is changed, not even an owner or a directory.

    Raises Conflict, Damaged, EffectFailed, HostNotCapable.
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
    # Until it has executed its program, its root is the host's.
    if process is None or not process.wait_for_exec():
        return None
    try:
        fd = os.open(f"/proc/{process.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Checked after opening: if the pid was reused meanwhile, this is the root of another process.
    if process.is_alive():
        return fd
    os.close(fd)
    return None


def _open_stopped(settings: Settings, paths: ContainerPaths, spec: ContainerSpec, writable: bool) -> int:
    if paths.rootfs in mount_points_below(paths.directory):
        # It has just exited, or waits to be restarted.
        return _open(paths.rootfs)
    layers = image_layers(settings.image_dir, spec.image)
    for directory in (*layers, paths.upper, paths.work, paths.lower, paths.rootfs):
        if not os.path.isdir(directory):
            raise Conflict(
                f"container {paths.name}: {directory} does not exist", f"start {paths.name} with conductor_container"
            )
    ids = read_ids(paths)
    with contextlib.ExitStack() as stack:
        userns_fd = None
        if ids is not None:
            process = stack.enter_context(user_namespace.create(ids.map_line))
            userns_fd = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, userns_fd)
        stack.enter_context(private_mount_namespace())
        if writable:
            mount_rootfs(paths, layers, userns_fd, ids.base if ids else 0)
        else:
            _mount_read_only(paths, layers, userns_fd)
        # The mount outlives its namespace, as after umount2(2) with MNT_DETACH.
        return _open(paths.rootfs)


def _open(directory: str) -> int:
    return os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _mount_read_only(paths: ContainerPaths, layers: Sequence[str], userns_fd: int | None) -> None:
    """Mount the root read-only: overlayfs with lower layers only does not write to them."""
    try:
        if userns_fd is None:
            mount_overlay(paths.rootfs, [paths.upper, *layers])
            return
        # Holds the mount points of the layers; visible in this mount namespace only.
        syscalls.mount("tmpfs", paths.lower, "tmpfs", syscalls.MS_NODEV | syscalls.MS_NOSUID, "size=64k,mode=700")
        with idmapped_layers(layers, paths.lower, userns_fd) as shown:
            mount_overlay(paths.rootfs, [paths.upper, *shown])
    except (OSError, EffectFailed) as error:
        reason = error.strerror if isinstance(error, OSError) else error.message
        raise EffectFailed(
            f"container {paths.name}: its root cannot be mounted read-only while it is stopped ({reason})",
            "start the container and run this again",
        ) from error
