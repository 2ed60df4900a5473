# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories over each other by overlayfs, in its own words.

https://docs.kernel.org/filesystems/overlayfs.html
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from .._errors import EffectFailed
from . import syscalls
from .execute import to_bytes


def mount_overlay(target: str, lower: Sequence[str], upper: str | None = None, work: str | None = None) -> None:
    """Mount the directories `lower`, upmost first, with the writable `upper` over them; without that it is read-only.

    `work` is an empty directory on the file system of `upper`. Device nodes in there are dead. Raises EffectFailed.
    """
    layers = [*lower, *filter(None, (upper, work))]
    for path in layers:
        if any(character in path for character in ",:\\"):
            raise EffectFailed(f"{path} has a ',', ':' or '\\' in it, which overlayfs cannot take", "use other names")
    data = f"lowerdir={':'.join(lower)}" + (f",upperdir={upper},workdir={work}" if upper else "")
    if len(to_bytes(data)) >= os.sysconf("SC_PAGE_SIZE"):
        # mount(2): it cuts off what is longer than a page.
        raise EffectFailed(f"{len(layers)} layers with such long paths are too many for mount(2)", "use shorter paths")
    flags = syscalls.MS_NODEV | (0 if upper else syscalls.MS_RDONLY)
    try:
        syscalls.mount("overlay", target, "overlay", flags, data)
    except OSError as error:
        if error.errno == errno.ENODEV:
            hint = "this kernel has no overlayfs: modprobe overlay"
        else:
            hint = f"the file system of {upper or lower[0]} must be one that overlayfs takes (ext4, xfs, btrfs, tmpfs)"
        raise EffectFailed(f"overlay on {target}: {error.strerror}", hint) from error
