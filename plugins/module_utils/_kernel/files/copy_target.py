# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a file, directory or link in its place, whole or not at all, where somebody hostile may rule.

Each is made under another name, and then renamed; a link in its place is replaced, not followed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

from .. import syscalls
from .copy_source import copy_bytes, kind_of


@dataclass(frozen=True)
class Attributes:
    """What a file shall have besides its content: permission bits, and ids of this host."""

    mode: int
    owner: int
    group: int


@dataclass(frozen=True)
class Spot:
    """A name in a directory that is open.

    `maker`: as whom it is made and renamed, for in some mounts nobody else can: where ids of a container are shown,
    those of this host have no counterpart (EOVERFLOW, may_create() of fs/namei.c). `purpose` names the temporary: who
    has the same one next removes it, where we are killed. One at a time.
    """

    directory_fd: int
    name: str
    maker: int
    purpose: str

    def put_file(self, source_fd: int, size: int, attributes: Attributes) -> tuple[str, int]:
        """Make it the first `size` bytes of `source_fd`; their SHA-256 and number."""
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
        """Make it an empty directory."""
        with self._renamed() as temporary:
            os.mkdir(temporary, 0o700, dir_fd=self.directory_fd)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(temporary, flags, dir_fd=self.directory_fd)
            try:
                _set(fd, attributes)
            finally:
                os.close(fd)

    def put_link(self, to: str, attributes: Attributes) -> None:
        """Make it a link that leads to `to`; links have no mode of their own."""
        with self._renamed() as temporary:
            os.symlink(to, temporary, dir_fd=self.directory_fd)
            fd = os.open(temporary, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.directory_fd)
            try:
                # Who may write to the directory may have put another file there by now, and shall not be given it.
                if kind_of(fd) != "link":
                    raise OSError(errno.EAGAIN, "another one is there by now")
                os.chown(f"/proc/self/fd/{fd}", attributes.owner, attributes.group)
            finally:
                os.close(fd)

    @contextlib.contextmanager
    def _renamed(self) -> Iterator[str]:
        """A name for the block to make something under, which then gets the right one."""
        told = hashlib.sha256(f"{self.purpose}/{self.name}".encode(errors="surrogateescape")).hexdigest()
        temporary, fd = f".conductor-{told[:24]}.tmp", self.directory_fd
        with _made_by(self.maker):
            _remove(temporary, fd)
            try:
                yield temporary
                os.rename(temporary, self.name, src_dir_fd=fd, dst_dir_fd=fd)
            except BaseException:
                _remove(temporary, fd)
                raise
            os.fsync(fd)


def _set(fd: int, attributes: Attributes) -> None:
    os.fchown(fd, attributes.owner, attributes.group)
    # After the owner, for a new owner takes setuid away.
    os.fchmod(fd, attributes.mode)
    os.fsync(fd)


def _remove(name: str, directory_fd: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        try:
            os.unlink(name, dir_fd=directory_fd)
        except IsADirectoryError:
            os.rmdir(name, dir_fd=directory_fd)


@contextlib.contextmanager
def _made_by(owner: int) -> Iterator[None]:
    """What the block makes belongs to user and group `owner`; it has all of our capabilities (capabilities(7))."""
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
