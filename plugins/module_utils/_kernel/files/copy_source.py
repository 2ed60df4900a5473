# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read files and directories to copy from a tree that an untrusted user controls and may change meanwhile.

No path is checked first and used later: checks and reads use the same open descriptor.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import stat
from collections.abc import Iterator

from ..path_text import name_of, to_text
from ..syscalls import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from .atomic_write import mount_id

_NO_LINKS = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_CHUNK = 1 << 20
# Bytes that are read of a file with size 0, because files of /proc and /sys report that size.
_UNSIZED = 1 << 20
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


def open_below(top_fd: int, path: str, flags: int) -> int:
    """Open `path` below `top_fd`; "" opens `top_fd` itself (a directory, or with O_PATH any file).

    No symlink is followed in any part of the path (ELOOP); a symlink as the last part can be opened with O_PATH and
    O_NOFOLLOW.
    """
    if not path and flags & os.O_PATH:
        return os.dup(top_fd)
    return openat2(top_fd, path or ".", flags, _NO_LINKS)


def file_type(path_fd: int) -> str:
    """Return the file type of a descriptor as a word."""
    return _KINDS[stat.S_IFMT(os.fstat(path_fd).st_mode)]


@contextlib.contextmanager
def open_entry(top_fd: int, path: str) -> Iterator[tuple[str, int]]:
    """Open the entry `path` below a directory for the block: its kind and a descriptor (O_PATH). Follows no symlink.

    The kind is "mount point" if something other than a directory is mounted there, and "missing", with -1 as the
    descriptor, if nothing exists there or if a part of the path is not a directory.
    """
    try:
        fd = open_below(top_fd, path, os.O_PATH | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        yield "missing", -1
        return
    try:
        kind = file_type(fd)
        yield ("mount point" if kind != "directory" and _is_mounted(top_fd, path, fd) else kind), fd
    finally:
        os.close(fd)


def _is_mounted(top_fd: int, path: str, fd: int) -> bool:
    directory_fd = open_below(top_fd, os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        return mount_id(fd) != mount_id(directory_fd)
    finally:
        os.close(directory_fd)


def list_directory(path_fd: int, most: int) -> list[str]:
    """Return at most `most` names of entries in the directory `path_fd` (O_PATH), sorted."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=path_fd)
    try:
        with os.scandir(fd) as entries:
            return sorted(name_of(found) for found in itertools.islice(entries, most))
    finally:
        os.close(fd)


def read_link(path_fd: int) -> str:
    """Return the target of the symlink `path_fd` (O_PATH) (readlinkat(2) with an empty path)."""
    return to_text(os.readlink(b"", dir_fd=path_fd))


def size_of(fd: int) -> int:
    """Return the bytes of a file to copy: its current size, even if another process keeps appending to it."""
    return os.fstat(fd).st_size or copy_bytes(fd, _UNSIZED)[1]


def digest(fd: int, size: int) -> str:
    """Return the SHA-256 of the first `size` bytes."""
    return copy_bytes(fd, size)[0]


def free_bytes(directory_fd: int) -> int | None:
    """Return the free bytes of a directory's file system without those that are reserved for root (statvfs(3)).

    None if it does not report them.
    """
    found = os.fstatvfs(directory_fd)
    return found.f_bavail * found.f_frsize if found.f_blocks else None


def copy_bytes(fd: int, size: int, to: int = -1) -> tuple[str, int]:
    """Return the SHA-256 and the number of the first `size` bytes, or fewer at the end of the file.

    Also write them to the descriptor `to` unless it is negative.
    """
    found, done = hashlib.sha256(), 0
    while done < size:
        chunk = os.pread(fd, min(_CHUNK, size - done), done)
        if not chunk:
            break
        found.update(chunk)
        view = memoryview(chunk if to >= 0 else b"")
        while view:
            view = view[os.write(to, view) :]
        done += len(chunk)
    return found.hexdigest(), done
