# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer of an image above its base: copy a container's changes to a layer, and mount a layer on its base.

Layers have overlayfs' own format, so a container's upper layer is copied as it is: a deleted file is a character device
0:0, and a directory that hides the one below has the attribute trusted.overlay.opaque.
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
from .._errors import Conflict, NotFound, mark_pending
from .._kernel import user_namespace
from .._kernel.files.atomic_write import remove_tree
from .._kernel.idmapped_mount import mount_idmapped
from .._kernel.mount_namespace import private_mount_namespace
from .._kernel.overlayfs import mount_overlay
from .._kernel.run_program import require_program
from .isolated_program import run_logged


def check_container(settings: Settings, name: str) -> str:
    """Return the image of a container that is the source of a new image.

    Raises NotFound, Damaged, or Conflict if the container is running, because its files would change meanwhile.
    """
    paths = ContainerPaths.of(settings.container_dir, name)
    spec = read_spec(paths)
    if spec is None:
        raise mark_pending(
            NotFound(f"source: container {name}: does not exist", f"create {name} with conductor_container")
        )
    if observe_process(paths)[1]:
        raise Conflict(f"source: container {name} is running", f"stop {name} first (conductor_container state=stopped)")
    read_ids(paths)
    return spec.image


def copy_layer(settings: Settings, name: str, rootfs: str, log: str) -> None:
    """Copy the upper layer of container `name` to `rootfs`, with the ids that its files have inside.

    The caller holds the container's lock. Raises EffectFailed.
    """
    paths = ContainerPaths.of(settings.container_dir, name)
    ids = read_ids(paths)
    if ids is not None and os.stat(paths.upper).st_uid == 0:
        # The container was never started: the layer is empty, and its root directory has no owner inside yet.
        make_directory(rootfs)
        return
    copy = [require_program("cp", "coreutils"), "--archive", "--preserve=all", "--one-file-system",
            "--no-target-directory"]  # fmt: skip
    what = f"copying container {name}"
    if ids is None:
        run_logged([*copy, paths.upper, rootfs], log, what)
        return
    with user_namespace.create(_back(ids)) as process:
        fd = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        show = partial(mount_idmapped, paths.upper, paths.lower, fd)
        run_logged([*copy, paths.lower, rootfs], log, what, prepare=show)
    finally:
        os.close(fd)


def make_directory(rootfs: str) -> None:
    """Make an empty root directory with mode 0755, independent of the umask."""
    os.mkdir(rootfs)
    os.chmod(rootfs, 0o755)


def _back(ids: IdRange) -> str:
    """Return the id map of a mount that shows the ids of the range as the ids inside."""
    return f"{ids.base} 0 {ids.size}\n"


@contextlib.contextmanager
def mounted_layers(paths: ImagePaths, base: Sequence[str], writable: bool) -> Iterator[None]:
    """Mount the image's layer above the layers `base` at `paths.rootfs` for the block.

    Only this process and its children see the mount. If `writable`, writes go into the layer. Raises EffectFailed.
    """
    if not base:
        yield
        return
    if writable:
        os.mkdir(paths.work)
    with private_mount_namespace():
        if writable:
            mount_overlay(paths.rootfs, base, paths.rootfs, paths.work)
        else:
            mount_overlay(paths.rootfs, [paths.rootfs, *base])
        yield
    if writable:
        remove_tree(paths.work)
