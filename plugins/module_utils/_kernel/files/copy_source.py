# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and directories to be copied, where somebody hostile may rule and change them meanwhile.

Nothing is looked at by its path and used by its path later: what was opened is what is judged and read.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import os
import stat
from collections.abc import Iterator

from ..syscalls import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2
from .atomic_write import mount_id

_NO_LINKS = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_CHUNK = 1 << 20
# Of a file that says it is empty so much is read, for those of /proc and /sys say so of themselves.
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
    """Open `path` below what `top_fd` is open on, "" for that itself (a directory, or with O_PATH anything).

    No link is followed, in no part of the path (ELOOP); the last can be opened with O_PATH and O_NOFOLLOW.
    """
    if not path and flags & os.O_PATH:
        return os.dup(top_fd)
    return openat2(top_fd, path or ".", flags, _NO_LINKS)


def kind_of(path_fd: int) -> str:
    """What a descriptor is open on, in a word."""
    return _KINDS[stat.S_IFMT(os.fstat(path_fd).st_mode)]


@contextlib.contextmanager
def entry(top_fd: int, path: str) -> Iterator[tuple[str, int]]:
    """What is at `path` below a directory: its kind and a descriptor (O_PATH) for the block; no link is followed.

    The kind is "mount point" where something is mounted on it that is no directory, and "missing", with -1, where there
    is nothing, or where what the path leads through is no directory.
    """
    try:
        fd = open_below(top_fd, path, os.O_PATH | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        yield "missing", -1
        return
    try:
        kind = kind_of(fd)
        yield ("mount point" if kind != "directory" and _is_mounted(top_fd, path, fd) else kind), fd
    finally:
        os.close(fd)


def _is_mounted(top_fd: int, path: str, fd: int) -> bool:
    directory_fd = open_below(top_fd, os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        return mount_id(fd) != mount_id(directory_fd)
    finally:
        os.close(directory_fd)


def names_in(path_fd: int, most: int) -> list[str]:
    """What is in the directory that `path_fd` (O_PATH) is open on, sorted; no more than `most` of it."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=path_fd)
    try:
        with os.scandir(fd) as entries:
            return sorted(found.name for found in itertools.islice(entries, most))
    finally:
        os.close(fd)


def read_link(path_fd: int) -> str:
    """Where the link leads that `path_fd` (O_PATH) is open on (readlinkat(2) with an empty path)."""
    return os.readlink("", dir_fd=path_fd)


def size_of(fd: int) -> int:
    """How much of a file is copied: what it has now, however fast somebody appends to it."""
    return os.fstat(fd).st_size or copy_bytes(fd, _UNSIZED)[1]


def digest(fd: int, size: int) -> str:
    """SHA-256 of the first `size` bytes."""
    return copy_bytes(fd, size)[0]


def free_bytes(directory_fd: int) -> int | None:
    """What the file system of a directory has room for, None where it does not tell."""
    found = os.fstatvfs(directory_fd)
    return found.f_bfree * found.f_frsize if found.f_blocks else None


def copy_bytes(fd: int, size: int, to: int = -1) -> tuple[str, int]:
    """SHA-256 and number of the first `size` bytes, or all where it has fewer; written to `to`, where that is given."""
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
