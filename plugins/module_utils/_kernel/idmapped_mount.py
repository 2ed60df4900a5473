# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ID-mapped mounts, which show files with other owners than on disk (mount_setattr(2), "ID-mapped mounts")."""

from __future__ import annotations

import os

from . import syscalls


def clone_idmapped(source: str, userns_fd: int, attributes: int = syscalls.MOUNT_ATTR_RDONLY) -> int:
    """Return a descriptor of a detached mount of `source` with `attributes` and the ids of a user namespace.

    Raises OSError.
    """
    tree = syscalls.open_tree(source, recursive=False)
    try:
        syscalls.mount_setattr(tree, attributes, userns_fd)
    except OSError:
        os.close(tree)
        raise
    return tree


def mount_idmapped(source: str, target: str, userns_fd: int, attributes: int = syscalls.MOUNT_ATTR_RDONLY) -> None:
    """Mount the clone of `clone_idmapped` on the directory `target`, which must not be a symlink. Raises OSError."""
    target_fd = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        tree = clone_idmapped(source, userns_fd, attributes)
        try:
            syscalls.move_mount(tree, target_fd)
        finally:
            os.close(tree)
    finally:
        os.close(target_fd)
