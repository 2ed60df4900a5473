# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private mount namespace (mount_namespaces(7)), whose mounts disappear with its last process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from . import syscalls


@contextlib.contextmanager
def private_mount_namespace() -> Iterator[None]:
    """Run the block, and the processes that it starts, in a new mount namespace with private propagation."""
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    working_dir = os.open(".", os.O_PATH | os.O_CLOEXEC)
    try:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        try:
            syscalls.mount("", "/", None, syscalls.MS_PRIVATE | syscalls.MS_REC)
            yield
        finally:
            syscalls.setns(own, syscalls.CLONE_NEWNS)
            os.fchdir(working_dir)
    finally:
        os.close(working_dir)
        os.close(own)
