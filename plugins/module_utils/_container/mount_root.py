# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mount in the root of a container, which an untrusted user controls.

Every target is opened below the root without following symlinks (the image and the container can contain any), and is
mounted on by descriptor.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .._errors import EffectFailed
from .._kernel import syscalls
from .._kernel.path_text import display_path, to_bytes
from .kernel_files import NO_SYMLINKS
from .owned_tmpfs import create_tmpfs


@dataclass(frozen=True)
class MountRoot:
    """The root directory to mount in, the host's id of root inside, and the user namespace of the container, if any.

    `is_machine`: root inside may mount what this start mounts as tmpfs again, with other options.
    """

    root_fd: int
    root_id: int
    userns_fd: int | None
    is_machine: bool = False

    @contextlib.contextmanager
    def target(self, path: str, directory: bool = True) -> Iterator[str]:
        """The /proc/self/fd path of `path` below the root, which is created if it is missing. Raises EffectFailed."""
        fd = self.open_or_create(path.strip("/").split("/"), directory)
        try:
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)

    def open_or_create(self, parts: Sequence[str], directory: bool) -> int:
        """Return a descriptor (O_PATH) of the file or directory at `parts`, which is created if it is missing.

        Raises OSError, EffectFailed.
        """
        path = "/".join(parts)
        with contextlib.suppress(FileNotFoundError):
            return self._open(path)
        parent_fd = self.open_or_create(parts[:-1], True) if parts[1:] else os.dup(self.root_fd)
        try:
            name = to_bytes(parts[-1])
            with contextlib.suppress(FileExistsError):
                if directory:
                    os.mkdir(name, 0o755, dir_fd=parent_fd)
                else:
                    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=parent_fd))
            # From the root once more: a process that shares a volume may have replaced a directory in the path.
            return self._open(path)
        finally:
            os.close(parent_fd)

    def _open(self, path: str) -> int:
        try:
            return syscalls.openat2(self.root_fd, path, os.O_PATH, NO_SYMLINKS)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise EffectFailed(
                f"mount target /{display_path(path)}: {error.strerror}", "choose a target without symlinks in its path"
            ) from error

    def mount(self, path: str, fstype: str, flags: int, data: str | None = None) -> None:
        """mount(2) a new file system on the directory `path`. Raises OSError, EffectFailed."""
        with self.target(path) as target:
            syscalls.mount(fstype, target, fstype, flags, data)

    def mount_tmpfs(self, parts: Sequence[str], flags: int, data: str) -> None:
        """Mount a tmpfs on the directory `parts`; that of a machine belongs to its user namespace.

        Raises OSError, EffectFailed.
        """
        if not self.is_machine or self.userns_fd is None:
            self.mount("/".join(parts), "tmpfs", flags, data)
            return
        tree = create_tmpfs(self.userns_fd, self.root_id, flags, data)
        try:
            self.attach(tree, parts, directory=True)
        finally:
            os.close(tree)

    def attach(self, tree: int, parts: Sequence[str], directory: bool) -> None:
        """Attach the detached mount `tree` to the file or directory `parts`. Raises OSError, EffectFailed."""
        fd = self.open_or_create(parts, directory)
        try:
            syscalls.move_mount(tree, fd)
        finally:
            os.close(fd)
