# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files below a root directory that somebody else rules: no link or mount in there leads us out of it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping

from .files import mount_id
from .libc import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

_RULES = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
# Ours are shorter: what has this size or more need not be read to its end to differ.
_LIMIT = 1 << 20


def write_files(root_fd: int, files: Mapping[str, bytes], mode: int = 0o644) -> list[str]:
    """Make each file of `files` (absolute path as seen from the root: content); the paths that were written.

    `root_fd` is a descriptor of the root directory. Links on the way are
    resolved inside the root (openat2(2), RESOLVE_IN_ROOT); a link at the target is replaced, not followed. A file that
    has the content already is left alone, and so is one that something is mounted on: the mount was somebody's wish.
    What is made belongs to whom the root directory belongs to, whatever ids rule in there.
    """
    written = []
    root = os.fstat(root_fd)
    owner = (root.st_uid, root.st_gid)
    for path, content in files.items():
        directory, name = os.path.split(path)
        directory_fd = _open_directory(root_fd, directory, owner)
        try:
            mounted, present = _look(directory_fd, name)
            if not mounted and present != content:
                _replace(directory_fd, name, content, mode, owner)
                written.append(path)
        finally:
            os.close(directory_fd)
    return written


def read_files(root_fd: int, paths: Iterable[str]) -> dict[str, bytes | None]:
    """Content of each of `paths` as `write_files` would compare it: None for what is no plain file; without those that
    something is mounted on.
    """
    found: dict[str, bytes | None] = {}
    for path in paths:
        directory, name = os.path.split(path)
        try:
            directory_fd = openat2(root_fd, directory, os.O_PATH | os.O_DIRECTORY, _RULES)
        except FileNotFoundError:
            found[path] = None
            continue
        try:
            mounted, content = _look(directory_fd, name)
            if not mounted:
                found[path] = content
        finally:
            os.close(directory_fd)
    return found


@contextlib.contextmanager
def directory_inside(root_fd: int, path: str) -> Iterator[int | None]:
    """A descriptor of the directory `path` for the block; None where there is none.

    Entries are safe to look at and to remove through it (`dir_fd`), wherever links on the way point to.
    """
    fd = _open_existing(root_fd, path, os.O_RDONLY | os.O_DIRECTORY)
    if fd is None:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def exists_inside(root_fd: int, path: str) -> bool:
    """Whether a process with that root would find something at `path`."""
    fd = _open_existing(root_fd, path, os.O_PATH)
    if fd is not None:
        os.close(fd)
    return fd is not None


def _open_existing(root_fd: int, path: str, flags: int) -> int | None:
    try:
        return openat2(root_fd, path, flags, _RULES)
    except OSError as error:
        # A link to an absolute path that is meant for another root may well be a loop in this one.
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise


def _open_directory(root_fd: int, path: str, owner: tuple[int, int]) -> int:
    """A descriptor of the directory `path` inside the root, made (0755) with its parents where it is missing."""
    try:
        return openat2(root_fd, path, os.O_RDONLY | os.O_DIRECTORY, _RULES)
    except FileNotFoundError:
        parent, name = os.path.split(path)
    parent_fd = _open_directory(root_fd, parent, owner)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=parent_fd)
            os.chown(name, *owner, dir_fd=parent_fd, follow_symlinks=False)
    finally:
        os.close(parent_fd)
    return openat2(root_fd, path, os.O_RDONLY | os.O_DIRECTORY, _RULES)


def _look(directory_fd: int, name: str) -> tuple[bool, bytes | None]:
    """Whether something is mounted on the entry, and its content where it is a plain file."""
    try:
        # O_PATH first: merely opening a FIFO or a device that waits there could block or do something.
        path_fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory_fd)
    except FileNotFoundError:
        return False, None
    try:
        if mount_id(path_fd) != mount_id(directory_fd):
            return True, None
        if not stat.S_ISREG(os.fstat(path_fd).st_mode):
            return False, None
        fd = os.open(f"/proc/self/fd/{path_fd}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return False, os.read(fd, _LIMIT)
        finally:
            os.close(fd)
    finally:
        os.close(path_fd)


def _replace(directory_fd: int, name: str, content: bytes, mode: int, owner: tuple[int, int]) -> None:
    temporary = f".{name}.{os.urandom(4).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(temporary, flags, mode, dir_fd=directory_fd)
    try:
        try:
            os.fchown(fd, *owner)
            os.fchmod(fd, mode)
            view = memoryview(content)
            while view:
                view = view[os.write(fd, view) :]
        finally:
            os.close(fd)
        os.rename(temporary, name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    except BaseException:
        os.unlink(temporary, dir_fd=directory_fd)
        raise
