# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths as text: always UTF-8, in contrast to Python's own encoding of paths, which depends on the locale.

In a locale with ISO-8859-1, a name that scandir(3) returns as text is another name for openat2(2).
"""

from __future__ import annotations

import os


def to_bytes(text: str) -> bytes:
    """Encode a path or text for the kernel and for functions of `os`.

    Raises UnicodeEncodeError for half of a surrogate pair.
    """
    return text.encode("utf-8", "surrogateescape")


def to_text(path: bytes) -> str:
    """Decode a path from the kernel. The inverse of `to_bytes`."""
    return path.decode("utf-8", "surrogateescape")


def resolve(path: str) -> str:
    """Return the absolute path without symlinks, `..` and repeated slashes, as mountinfo shows it (proc(5))."""
    return to_text(os.path.realpath(to_bytes(path)))


def name_of(entry: os.DirEntry[str]) -> str:
    """Return the name of an entry of a directory that was opened by a descriptor, for which `os` decodes names."""
    return to_text(os.fsencode(entry.name))


def display_path(path: str) -> str:
    """Return a path as text for messages."""
    return to_bytes(path).decode("utf-8", "replace")
