# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files below a root directory that somebody else rules: no link or mount in there leads us out of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Mapping

from .files import mount_id
from .libc import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

_RULES = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
# What a file of this size or more holds is not one of ours: no need to read it all.
_LIMIT = 1 << 20


def write_files(root_fd: int, files: Mapping[str, bytes], mode: int = 0o644) -> list[str]:
    """Make each file of `files` (absolute path as seen from the root: content); the paths that were written.

    `root_fd` is a descriptor of the root directory (for a running container: /proc/PID/root). Links on the way are
    resolved inside the root (openat2(2), RESOLVE_IN_ROOT); a link at the target is replaced, not followed. A file that
    has the content already is left alone, and so is one that something is mounted on: the mount was somebody's wish.
    """
    written = []
    for path, content in files.items():
        directory, name = os.path.split(path)
        directory_fd = _open_directory(root_fd, directory)
        try:
            if not _is_settled(directory_fd, name, content):
                _replace(directory_fd, name, content, mode)
                written.append(path)
        finally:
            os.close(directory_fd)
    return written


def differing_files(root_fd: int, files: Mapping[str, bytes]) -> list[str]:
    """The paths that `write_files` would write. Changes nothing."""
    differing = []
    for path, content in files.items():
        directory, name = os.path.split(path)
        try:
            directory_fd = openat2(root_fd, directory, os.O_PATH | os.O_DIRECTORY, _RULES)
        except FileNotFoundError:
            differing.append(path)
            continue
        try:
            if not _is_settled(directory_fd, name, content):
                differing.append(path)
        finally:
            os.close(directory_fd)
    return differing


def _open_directory(root_fd: int, path: str) -> int:
    """A descriptor of the directory `path` inside the root, made (0755) with its parents where it is missing."""
    try:
        return openat2(root_fd, path, os.O_RDONLY | os.O_DIRECTORY, _RULES)
    except FileNotFoundError:
        parent, name = os.path.split(path)
    parent_fd = _open_directory(root_fd, parent)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=parent_fd)
    finally:
        os.close(parent_fd)
    return openat2(root_fd, path, os.O_RDONLY | os.O_DIRECTORY, _RULES)


def _is_settled(directory_fd: int, name: str, content: bytes) -> bool:
    """Whether the entry is a file with this `content`, or a mount that is not ours to change."""
    try:
        # O_PATH first: merely opening a FIFO or a device that waits there could block or do something.
        path_fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory_fd)
    except FileNotFoundError:
        return False
    try:
        if mount_id(path_fd) != mount_id(directory_fd):
            return True
        found = os.fstat(path_fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size != len(content) or found.st_size > _LIMIT:
            return False
        fd = os.open(f"/proc/self/fd/{path_fd}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, _LIMIT) == content
        finally:
            os.close(fd)
    finally:
        os.close(path_fd)


def _replace(directory_fd: int, name: str, content: bytes, mode: int) -> None:
    temporary = f".{name}.{secrets.token_hex(4)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(temporary, flags, mode, dir_fd=directory_fd)
    try:
        try:
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
