# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mount through which a builder sees the root file system under construction, in its own mount namespace.

apt downloads as user _apt, which must be able to traverse the path. On the host, only root can.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from .._engine.paths import RUN_DIR
from .._kernel import syscalls
from .isolated_program import mount_proc

# Below RUN_DIR, which exists as soon as a lock is held. Every user can traverse the new tmpfs that is mounted there.
ROOT = os.path.join(RUN_DIR, "rootfs")


def mount_for_builder(rootfs: str, files: Mapping[str, str]) -> None:
    """Mount `rootfs` at ROOT, and write `files` (name: text, readable only by root) next to it. Raises OSError.

    The caller is in its own mount namespace and executes the builder afterward.
    """
    mount_proc()
    tree = syscalls.open_tree(rootfs, recursive=False)
    syscalls.mount(
        "tmpfs", RUN_DIR, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC, "mode=755,size=1m"
    )
    os.mkdir(ROOT, 0o755)
    place = os.open(ROOT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    syscalls.move_mount(tree, place)
    for fd in (place, tree):
        os.close(fd)
    for name, text in files.items():
        fd = os.open(os.path.join(RUN_DIR, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(text)
