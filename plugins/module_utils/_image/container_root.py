# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image from a container: its root file system as those inside see it, with their ids for its files."""

from __future__ import annotations

import os
from functools import partial

from .._errors import Conflict, NotFound
from .._linux import libc, userns
from .._linux.commands import require_program
from .._model.ids import IdRange
from .._model.layout import ContainerPaths, ImagePaths
from .._store.containers import observe_process, read_spec
from .._store.ids import read_ids
from .._store.settings import Settings
from .isolated import run_logged


def check_container(settings: Settings, name: str) -> ContainerPaths:
    """The container to copy. Raises NotFound, Damaged; Conflict where it runs, for its files would change meanwhile."""
    paths = ContainerPaths.of(settings.container_dir, name)
    spec = read_spec(paths)
    if spec is None:
        raise NotFound(f"source: there is no container {name!r}", "create it with conductor_container")
    if observe_process(paths, spec)[2]:
        raise Conflict(f"source: container {name} runs", "stop it first (conductor_container state=stopped)")
    read_ids(paths)
    return paths


def copy_container(settings: Settings, name: str, rootfs: str, log: str) -> None:
    """Copy the root file system of container `name` to `rootfs`. Raises as `check_container`, and EffectFailed.

    For who holds the container's lock.
    """
    paths = check_container(settings, name)
    lower = ImagePaths.of(settings.image_dir, read_spec(paths).image).rootfs
    copy = [require_program("cp", "coreutils"), "--archive", "--preserve=all", "--one-file-system",
            "--no-target-directory", paths.rootfs, rootfs]  # fmt: skip
    what = f"copying container {name}"
    ids = read_ids(paths)
    if ids is None:
        run_logged(copy, log, what, prepare=partial(_show, paths, lower, None))
        return
    with userns.new(_back(ids)) as process:
        fd = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        run_logged(copy, log, what, prepare=partial(_show, paths, lower, fd))
    finally:
        os.close(fd)


def _back(ids: IdRange) -> str:
    """The map by which a mount shows what belongs to the range as those inside see it."""
    return f"{ids.base} 0 {ids.size}\n"


def _show(paths: ContainerPaths, lower: str, userns_fd: int | None) -> None:
    """Mount the container's root on its place, read only, in this process's own mount namespace."""
    upper = paths.upper
    if userns_fd is not None:
        tree = libc.open_tree(paths.upper, recursive=False)
        libc.mount_setattr(tree, libc.MOUNT_ATTR_RDONLY, userns_fd)
        target = os.open(paths.lower, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        libc.move_mount(tree, target)
        upper = paths.lower
    libc.mount("overlay", paths.rootfs, "overlay", libc.MS_RDONLY | libc.MS_NODEV, f"lowerdir={upper}:{lower}")
