# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file from one place to another, where somebody hostile may rule either and change it meanwhile.

Nothing is looked at by its path and used by its path later: what was opened is what is judged, read and written to.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from . import libc
from .files import mount_id
from .libc import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

_RULES = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
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


@dataclass(frozen=True)
class Attributes:
    """What a file shall have besides its content: permission bits, and ids of this host."""

    mode: int
    owner: int
    group: int


def open_inside(root_fd: int, path: str, flags: int) -> int:
    """Open `path` as somebody whose root is `root_fd` would find it; no link leads further than that root."""
    for _ in range(100):
        try:
            return openat2(root_fd, path, flags, _RULES)
        except OSError as error:
            # Something was renamed while a ".." was followed: the kernel cannot tell then, and says so (openat2(2)).
            if error.errno != errno.EAGAIN:
                raise
    raise OSError(errno.EAGAIN, "its directories are renamed all the time", path)


def kind_of(path_fd: int) -> str:
    """What a descriptor is open on, in a word."""
    return _KINDS[stat.S_IFMT(os.fstat(path_fd).st_mode)]


@contextlib.contextmanager
def entry(directory_fd: int, name: str) -> Iterator[tuple[str, int]]:
    """What is in a directory under that name: its kind and a descriptor (O_PATH) for the block; a link is not followed.

    The kind is "mount point" where something is mounted on it, and "missing", with -1, where there is nothing.
    """
    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory_fd)
    except FileNotFoundError:
        yield "missing", -1
        return
    try:
        yield ("mount point" if mount_id(fd) != mount_id(directory_fd) else kind_of(fd)), fd
    finally:
        os.close(fd)


def reopen(path_fd: int) -> int:
    """A descriptor to read the file that `path_fd` (O_PATH) is open on: that very file, whatever its path is now.

    Only for what `kind_of` calls a file: opening a FIFO waits, opening a device may do something. A regular file can
    have a lease, which O_NONBLOCK does not wait for (fcntl(2)).
    """
    return os.open(f"/proc/self/fd/{path_fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def size_of(fd: int) -> int:
    """How much of a file is copied: what it has now, however fast somebody appends to it."""
    return os.fstat(fd).st_size or _digest(fd, _UNSIZED)[1]


def digest(fd: int, size: int) -> str:
    """SHA-256 of the first `size` bytes."""
    return _digest(fd, size)[0]


def free_bytes(directory_fd: int) -> int | None:
    """What the file system of a directory has room for, None where it does not tell."""
    found = os.fstatvfs(directory_fd)
    return found.f_bfree * found.f_frsize if found.f_blocks else None


def replace(
    directory_fd: int, name: str, source_fd: int, size: int, attributes: Attributes, maker: int, purpose: str
) -> tuple[str, int]:
    """Make `name` the first `size` bytes of `source_fd`, whole or not at all; their SHA-256 and number.

    A link there is replaced, not followed. `maker`: as whom it is made and renamed, for in some mounts nobody else can:
    where ids of a container are shown, those of this host have no counterpart (EOVERFLOW, may_create() of fs/namei.c).
    `purpose` names the temporary file: who has the same one next removes it, where we are killed. One at a time.
    """
    with _made_by(maker):
        return _replace(directory_fd, name, source_fd, size, attributes, purpose)


def _replace(
    directory_fd: int, name: str, source_fd: int, size: int, attributes: Attributes, purpose: str
) -> tuple[str, int]:
    temporary = (
        f".conductor-{hashlib.sha256(f'{purpose}/{name}'.encode(errors='surrogateescape')).hexdigest()[:24]}.tmp"
    )
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary, dir_fd=directory_fd)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(temporary, flags, 0o600, dir_fd=directory_fd)
    try:
        try:
            copied = _digest(source_fd, size, fd)
            os.fchown(fd, attributes.owner, attributes.group)
            # After the owner, for a new owner takes setuid away.
            os.fchmod(fd, attributes.mode)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(temporary, name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory_fd)
        raise
    os.fsync(directory_fd)
    return copied


def _digest(fd: int, size: int, to: int = -1) -> tuple[str, int]:
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


@contextlib.contextmanager
def _made_by(owner: int) -> Iterator[None]:
    """What the block makes belongs to user and group `owner`; it has all of our capabilities (capabilities(7))."""
    if not owner:
        yield
        return
    permitted = libc.permitted_capabilities()
    os.setegid(owner)
    try:
        os.seteuid(owner)
        try:
            libc.capset(permitted)
            yield
        finally:
            os.seteuid(0)
    finally:
        os.setegid(0)
