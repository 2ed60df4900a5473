# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mount overlayfs, with the terms of its documentation: https://docs.kernel.org/filesystems/overlayfs.html."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from .._errors import EffectFailed
from . import syscalls
from .path_text import to_bytes


def mount_overlay(target: str, lower: Sequence[str], upper: str | None = None, work: str | None = None) -> None:
    """Mount the directories `lower`, the top one first, with the writable `upper` over them; without it, read-only.

    `work` is an empty directory on the file system of `upper`. Mounted with nodev: device nodes do not work. Raises
    EffectFailed.
    """
    layers = [*lower, *filter(None, (upper, work))]
    for path in layers:
        if any(character in path for character in ",:\\"):
            raise EffectFailed(
                f"{path} contains ',', ':' or '\\', which overlayfs does not accept", "use a path without them"
            )
    data = f"lowerdir={':'.join(lower)}" + (f",upperdir={upper},workdir={work}" if upper else "")
    if len(to_bytes(data)) >= os.sysconf("SC_PAGE_SIZE"):
        # mount(2) truncates options that are longer than a page.
        raise EffectFailed(
            f"overlay on {target}: the paths of {len(layers)} layers are too long for mount(2)", "use shorter paths"
        )
    flags = syscalls.MS_NODEV | (0 if upper else syscalls.MS_RDONLY)
    try:
        syscalls.mount("overlay", target, "overlay", flags, data)
    except OSError as error:
        if error.errno == errno.ENODEV:
            hint = "run modprobe overlay: this kernel has no overlayfs"
        else:
            hint = f"put {upper or lower[0]} on a file system that overlayfs supports (ext4, xfs, btrfs, tmpfs)"
        raise EffectFailed(f"overlay on {target}: {error.strerror}", hint) from error
