# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create files, directories and symlinks atomically in a tree that an untrusted user controls.

Each is created under a temporary name and then renamed; an existing symlink is replaced, not followed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from .. import syscalls
from ..path_text import to_bytes
from .copy_source import copy_bytes, file_type


@dataclass(frozen=True)
class Attributes:
    """Attributes of a new file: permission bits, and owner and group as ids of this host."""

    mode: int
    owner: int
    group: int


@dataclass(frozen=True)
class TargetEntry:
    """A name in an open directory.

    `creator`: id of the user that creates and renames the file. In a mount that shows ids of a container, ids of this
    host have no counterpart and cannot create files (EOVERFLOW, may_create() of fs/namei.c). `purpose` determines the
    temporary name: if this process is killed, the next one with the same purpose removes that file. Only one process
    may use a purpose at a time.
    """

    directory_fd: int
    name: str
    creator: int
    purpose: str

    def put_file(self, source_fd: int, size: int, attributes: Attributes) -> tuple[str, int]:
        """Create a file of the first `size` bytes of `source_fd`; return their SHA-256 and number."""
        with self._renamed() as temporary:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(temporary, flags, 0o600, dir_fd=self.directory_fd)
            try:
                copied = copy_bytes(source_fd, size, fd)
                _set(fd, attributes)
            finally:
                os.close(fd)
        return copied

    def put_directory(self, attributes: Attributes) -> None:
        """Create an empty directory."""
        with self._renamed() as temporary:
            os.mkdir(temporary, 0o700, dir_fd=self.directory_fd)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(temporary, flags, dir_fd=self.directory_fd)
            try:
                _set(fd, attributes)
            finally:
                os.close(fd)

    def put_link(self, to: str, attributes: Attributes) -> None:
        """Create a symlink to `to`. Symlinks have no mode."""
        with self._renamed() as temporary:
            os.symlink(to_bytes(to), temporary, dir_fd=self.directory_fd)
            fd = os.open(temporary, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.directory_fd)
            try:
                # A user with write access to the directory may have replaced it, and must not get another file's owner.
                if file_type(fd) != "link":
                    raise OSError(errno.EAGAIN, "another process has replaced the symlink")
                os.chown(f"/proc/self/fd/{fd}", attributes.owner, attributes.group)
            finally:
                os.close(fd)

    @contextlib.contextmanager
    def _renamed(self) -> Iterator[str]:
        """Yield a temporary name; rename it to the final name after the block."""
        identity = hashlib.sha256(to_bytes(f"{self.purpose}/{self.name}")).hexdigest()
        temporary, fd = f".conductor-{identity[:24]}.tmp", self.directory_fd
        with _created_by(self.creator):
            _remove(temporary, fd)
            try:
                yield temporary
                os.rename(temporary, to_bytes(self.name), src_dir_fd=fd, dst_dir_fd=fd)
            except BaseException:
                _remove(temporary, fd)
                raise
            os.fsync(fd)


def _set(fd: int, attributes: Attributes) -> None:
    os.fchown(fd, attributes.owner, attributes.group)
    # After the owner, because a change of the owner clears setuid.
    os.fchmod(fd, attributes.mode)
    os.fsync(fd)


def _remove(name: str, directory_fd: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        try:
            os.unlink(name, dir_fd=directory_fd)
        except IsADirectoryError:
            os.rmdir(name, dir_fd=directory_fd)


@contextlib.contextmanager
def _created_by(owner: int) -> Iterator[None]:
    """Create files as user and group `owner` in the block, which keeps all capabilities (capabilities(7))."""
    if not owner:
        yield
        return
    permitted = syscalls.permitted_capabilities()
    os.setegid(owner)
    try:
        os.seteuid(owner)
        try:
            syscalls.capset(permitted)
            yield
        finally:
            os.seteuid(0)
    finally:
        os.setegid(0)
