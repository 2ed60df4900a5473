# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test whether a path or a glob(7) pattern exists below a root that an untrusted user controls."""

from __future__ import annotations

import fnmatch
import glob
import os

from ..path_text import name_of
from .within_root import open_inside

# Limit of directory entries to compare with a pattern: the root may hold any number of them.
MAX_ENTRIES = 1 << 18
_KERNEL = ("/proc", "/sys")


class TooManyEntries(Exception):
    """The pattern matched none of the first entries, and the limit of entries to compare is reached."""


def pattern_exists(root_fd: int, pattern: str) -> bool:
    """Return whether `pattern` exists for a process with the root `root_fd`: no symlink leads out of that root.

    A symlink into proc or sysfs does not count unless `pattern` itself begins there. Raises TooManyEntries.
    """
    search = _Search(root_fd, pattern.startswith(tuple(f"{top}/" for top in _KERNEL)) or pattern in _KERNEL)
    if not glob.has_magic(pattern):
        return search.exists(pattern)
    return search.matches([part for part in pattern.split("/") if part], "")


class _Search:
    def __init__(self, root_fd: int, kernel_files: bool) -> None:
        self._root_fd = root_fd
        self._kernel_files = kernel_files
        self._left = MAX_ENTRIES

    def exists(self, path: str) -> bool:
        fd = self._open(path, os.O_PATH)
        if fd is not None:
            os.close(fd)
        return fd is not None

    def matches(self, parts: list[str], base: str) -> bool:
        """Return whether `parts`, some of them patterns, match any path below the directory `base`."""
        if not parts:
            return True
        if not glob.has_magic(parts[0]):
            path = f"{base}/{parts[0]}"
            return self.exists(path) and self.matches(parts[1:], path)
        return any(self.matches(parts[1:], f"{base}/{name}") for name in self._names(base, parts[0]))

    def _names(self, directory: str, pattern: str) -> list[str]:
        fd = self._open(directory, os.O_RDONLY | os.O_DIRECTORY)
        if fd is None:
            return []
        found = []
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    self._left -= 1
                    if self._left < 0:
                        raise TooManyEntries
                    name = name_of(entry)
                    # No wildcard matches a leading dot (glob(7)).
                    if (pattern[0] == "." or name[0] != ".") and fnmatch.fnmatchcase(name, pattern):
                        found.append(name)
        finally:
            os.close(fd)
        return found

    def _open(self, path: str, flags: int) -> int | None:
        try:
            return open_inside(self._root_fd, path, flags, self._kernel_files)
        except OSError:
            return None
