# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write files atomically, and delete trees without crossing mount points or symlinks."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import stat

from ..._errors import EffectFailed

# Directories deeper than this are moved to the top before they are emptied; their new names have this prefix.
_DEEPEST, _MOVED = 64, ".conductor-deep-"
# Entries of a directory that are listed at once for a deletion.
_BATCH = 4096


def read_text(path: str) -> str:
    """Return the text of a file; "" if it does not exist."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write_atomic(path: str, data: bytes, mode: int = 0o600) -> os.stat_result:
    """Write `data` to `path` atomically and return the fstat(2) result of the new file.

    A reader, and the host after a power loss, sees either the whole old or the whole new content.
    """
    directory = os.path.dirname(path)
    remove_stale_temporaries(directory)
    own = f"{os.getpid()}.{os.urandom(4).hex()}"
    temporary = os.path.join(directory, f".{os.path.basename(path)[:200]}.{own}.tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        try:
            os.fchmod(fd, mode)
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            os.fsync(fd)
            written = os.fstat(fd)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(directory)
    return written


def remove_stale_temporaries(directory: str) -> None:
    """Delete the files that killed processes left from `write_atomic` in `directory`; files of live processes stay."""
    for name in os.listdir(directory):
        found = re.fullmatch(r"\..+\.(\d+)\.[0-9a-f]{8}\.tmp", name)
        if found and not os.path.exists(f"/proc/{found[1]}"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, name))


def sync_directory(directory: str) -> None:
    """Make renames in `directory` durable over a power loss (fsync(2) on the directory)."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_tree(path: str) -> None:
    """Delete `path` and everything below it, without crossing a mount point or following a symlink.

    It works on directory descriptors, so that nobody can replace a directory by a symlink meanwhile. Raises
    EffectFailed at a file system mounted below `path` (also a bind mount of the same device), before entering it.
    Does nothing if `path` does not exist. Uses few descriptors and stack frames for a tree of any depth.
    """
    parent, name = os.path.split(os.path.abspath(path))
    try:
        parent_fd = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _remove_entry(parent_fd, name, path)
    finally:
        os.close(parent_fd)


def mount_id(fd: int) -> str:
    """Return the id of the mount that a descriptor is open on (mnt_id of /proc/self/fdinfo/N, proc(5))."""
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
        for line in file:
            if line.startswith("mnt_id:"):
                return line.split()[1]
    raise AssertionError("the kernel gives no mnt_id")


def _remove_entry(parent_fd: int, name: str, path: str, top_fd: int | None = None, depth: int = 0) -> None:
    """Delete an entry. `top_fd`: the top directory of the deletion; None if the entry itself is the top."""
    try:
        entry = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(entry.st_mode):
        _unlink(parent_fd, name, path)
        return
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
    try:
        if mount_id(fd) != mount_id(parent_fd):
            raise _mount_point_error(path)
        if top_fd is not None and depth == _DEEPEST:
            os.rename(name, f"{_MOVED}{os.urandom(8).hex()}", src_dir_fd=parent_fd, dst_dir_fd=top_fd)
            return
        # Again after the last batch, since deep directories are moved to the top meanwhile.
        while names := _some_names(fd):
            for child in names:
                _remove_entry(fd, child, os.path.join(path, child), fd if top_fd is None else top_fd, depth + 1)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent_fd)


def _some_names(fd: int) -> list[str]:
    """Return the first names in a directory, of which a container may have made more than fit into the memory."""
    # Closed before the entries are deleted: an open scandir holds one more descriptor at each level.
    with os.scandir(fd) as entries:
        return [entry.name for entry in itertools.islice(entries, _BATCH)]


def _unlink(parent_fd: int, name: str, path: str) -> None:
    try:
        os.unlink(name, dir_fd=parent_fd)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise _mount_point_error(path) from error
        raise


def _mount_point_error(path: str) -> EffectFailed:
    return EffectFailed(f"{path} is a mount point and was not deleted", "unmount it, then run this again")
