# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bind mounts below which file systems of the host appear later (mount_namespaces(7), "Shared subtrees").

The mount namespace of a container is private. The source of such a mount is copied before it becomes so, while a copy
still belongs to the host's peer group.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from .._errors import EffectFailed, InvalidInput
from .._kernel import syscalls
from .._kernel.mountinfo import propagation_of
from .spec.mounts import PRIVATE, SLAVE, Mount


def open_propagating(mounts: Iterable[Mount]) -> dict[str, int]:
    """Return descriptors of copies of the sources, by target, of those of `mounts` that are not private.

    To be called in the mount namespace of the host. Raises EffectFailed.
    """
    trees = {}
    for mount in mounts:
        if mount.propagation != PRIVATE:
            tree = open_source(mount)
            trees[mount.target] = tree
            if mount.propagation == SLAVE:
                syscalls.mount_setattr(tree, propagation=syscalls.MS_SLAVE)
    return trees


def open_source(mount: Mount) -> int:
    """Return a descriptor of a copy of the source of `mount`. Raises EffectFailed."""
    try:
        return syscalls.open_tree(mount.source)
    except OSError as error:
        raise EffectFailed(
            f"mounts: source {mount.source} of {mount.target}: {syscalls.strerror(error)}",
            "create it, or correct the path",
        ) from error


def close_propagating(trees: Mapping[str, int]) -> None:
    """Close what `open_propagating` has opened."""
    for tree in trees.values():
        os.close(tree)


def check_propagation(mount: Mount) -> None:
    """Check that the host propagates what is mounted below the source. Changes nothing. Raises InvalidInput if not."""
    if mount.propagation == PRIVATE:
        return
    point, kinds = propagation_of(mount.source)
    if "shared" in kinds or (mount.propagation == SLAVE and "master" in kinds):
        return
    raise InvalidInput(
        f"mounts: propagation {mount.propagation} of {mount.target}: the host has {mount.source} in the mount {point}, "
        "which is private",
        f"run mount --make-rshared {point} on the host, or leave out propagation",
    )
