# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to a container's root directory from the host, writable even if the container has it mounted read-only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from .._engine.paths import ContainerPaths
from .._kernel.files.atomic_write import mount_id

_FLAGS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def open_container_root(paths: ContainerPaths) -> Iterator[int | None]:
    """Yield a descriptor of the container's root, or None if it is not mounted: the next start writes the files."""
    try:
        parent = os.open(paths.directory, _FLAGS)
    except FileNotFoundError:
        yield None
        return
    root = None
    try:
        with contextlib.suppress(FileNotFoundError):
            root = os.open(os.path.basename(paths.rootfs), _FLAGS, dir_fd=parent)
        yield root if root is not None and mount_id(root) != mount_id(parent) else None
    finally:
        os.close(parent)
        if root is not None:
            os.close(root)
