# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer of an image on a base: what a container has changed, and the whole that it makes with what it lies on.

In a layer a deleted file is a character device 0:0, and a directory that hides the one below has the attribute
trusted.overlay.opaque: overlayfs' own notation, so that a layer is copied as it is.
https://docs.kernel.org/filesystems/overlayfs.html, "whiteouts and opaque directories"
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from functools import partial

from .._container.id_ranges import read_ids
from .._container.store import observe_process, read_spec
from .._engine.id_range import IdRange
from .._engine.paths import ContainerPaths, ImagePaths
from .._engine.settings import Settings
from .._errors import Conflict, NotFound, not_yet
from .._kernel import user_namespace
from .._kernel.files.atomic_write import remove_tree
from .._kernel.idmapped_mount import mount_idmapped
from .._kernel.mount_namespace import own_mounts
from .._kernel.overlayfs import mount_overlay
from .._kernel.run_program import require_program
from .isolated_program import run_logged


def check_container(settings: Settings, name: str) -> str:
    """The image of the container that is to become one. Raises NotFound, Damaged; Conflict where it runs, for its
    files would change meanwhile.
    """
    paths = ContainerPaths.of(settings.container_dir, name)
    spec = read_spec(paths)
    if spec is None:
        raise not_yet(NotFound(f"source: there is no container {name!r}", "create it with conductor_container"))
    if observe_process(paths, spec)[2]:
        raise Conflict(f"source: container {name} runs", "stop it first (conductor_container state=stopped)")
    read_ids(paths)
    return spec.image


def copy_layer(settings: Settings, name: str, rootfs: str, log: str) -> None:
    """Copy what container `name` has changed to `rootfs`, with the ids that its files have inside.

    For who holds the container's lock. Raises EffectFailed.
    """
    paths = ContainerPaths.of(settings.container_dir, name)
    ids = read_ids(paths)
    if ids is not None and os.stat(paths.upper).st_uid == 0:
        # It was never started: nothing is in it, and its root directory belongs to nobody inside.
        make_directory(rootfs)
        return
    copy = [require_program("cp", "coreutils"), "--archive", "--preserve=all", "--one-file-system",
            "--no-target-directory"]  # fmt: skip
    what = f"copying container {name}"
    if ids is None:
        run_logged([*copy, paths.upper, rootfs], log, what)
        return
    with user_namespace.new(_back(ids)) as process:
        fd = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        show = partial(mount_idmapped, paths.upper, paths.lower, fd)
        run_logged([*copy, paths.lower, rootfs], log, what, prepare=show)
    finally:
        os.close(fd)


def make_directory(rootfs: str) -> None:
    """Make an empty root directory, which those inside may traverse whatever our umask is."""
    os.mkdir(rootfs)
    os.chmod(rootfs, 0o755)


def _back(ids: IdRange) -> str:
    """The map by which a mount shows what belongs to the range as those inside see it."""
    return f"{ids.base} 0 {ids.size}\n"


@contextlib.contextmanager
def whole(paths: ImagePaths, base: Sequence[str], writable: bool) -> Iterator[None]:
    """For the block `paths.rootfs` shows the layer with those that it lies on, `base`, to us and our children only.

    What is written there where that is `writable` goes into the layer. Raises EffectFailed.
    """
    if not base:
        yield
        return
    if writable:
        os.mkdir(paths.work)
    with own_mounts():
        if writable:
            mount_overlay(paths.rootfs, base, paths.rootfs, paths.work)
        else:
            mount_overlay(paths.rootfs, [paths.rootfs, *base])
        yield
    if writable:
        remove_tree(paths.work)
