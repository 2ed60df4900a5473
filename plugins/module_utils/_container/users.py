# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of a container, by the text of its own /etc/passwd and /etc/group.

Never through NSS: that would load the container's libraries into a privileged process (CVE-2019-14271).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .._errors import InvalidInput
from .._kernel.files.within_root import exists_inside, read_inside

# Bytes of /etc/passwd and /etc/group that are read.
_LONGEST = 1 << 20


@dataclass(frozen=True)
class User:
    """Who a process runs as: numbers, and the home directory for $HOME."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def resolve_user(text: str, roots: list[str]) -> User:
    """The user that `text` (NAME, UID, NAME:GROUP, UID:GID) means in a root with the layers `roots`, upmost first.

    Raises InvalidInput where there is no such user or group; a number needs no entry.
    """
    name, _, group = text.partition(":")
    passwd = _table(roots, "etc/passwd", 7, ids=(2, 3), mention=name)
    entry = next((row for row in passwd if row[0] == name), None)
    if entry is None and _is_id(name):
        entry = next((row for row in passwd if row[2] == name), [name, "", name, "0", "", "/", ""])
    if entry is None:
        raise InvalidInput(f"there is no user {name!r} in the container", "create it in the image, or give its uid")
    groups = _table(roots, "etc/group", 4, ids=(2,), mention=group or entry[0])
    gid, member_of = int(entry[3]), []
    if group:
        row = next((row for row in groups if row[0] == group), None)
        if row is None and not _is_id(group):
            raise InvalidInput(
                f"there is no group {group!r} in the container", "create it in the image, or give its gid"
            )
        gid = int(row[2]) if row else int(group)
    else:
        member_of = [int(row[2]) for row in groups if entry[0] in row[3].split(",")]
    return User(int(entry[2]), gid, tuple(dict.fromkeys([gid, *member_of])), entry[5] or "/")


def require_ids(text: str, user: User, size: int) -> None:
    """Raises InvalidInput where an id of the user that `text` means is not among the container's: 0 to `size` - 1."""
    for number in (user.uid, *user.groups):
        if number >= size:
            raise InvalidInput(
                f"user {text}: id {number} is not in the container's range of ids, 0 to {size - 1}",
                "use an id in that range, give userns a larger size, or set userns: host",
            )


def _table(roots: list[str], path: str, columns: int, ids: tuple[int, ...], mention: str) -> list[list[str]]:
    """Rows of the first such file in which `mention` occurs: those with so many columns, of which `ids` are ids.

    Anybody may have written it.
    """
    for root in roots:
        text = _read(root, path)
        if text is not None:
            rows = [line.split(":") for line in text.split("\n") if mention in line]
            return [row for row in rows if len(row) == columns and all(_is_id(row[column]) for column in ids)]
    return []


def _is_id(text: str) -> bool:
    """Whether it is the id of a user or group; the greatest number of 32 bits means "as it was" (setresuid(2))."""
    return len(text) <= 10 and text.isascii() and text.isdigit() and int(text) < (1 << 32) - 1


def _read(root: str, path: str) -> str | None:
    """The text of a file below `root`: None if it does not exist there, empty if it is no file."""
    try:
        root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not exists_inside(root_fd, path):
            return None
        return (read_inside(root_fd, path, _LONGEST) or b"").decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(root_fd)
