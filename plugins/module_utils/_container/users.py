# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of a container, as its own /etc/passwd and /etc/group define them.

The files are parsed here, since NSS would load libraries of the container into a privileged process (CVE-2019-14271).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .._engine.decimal_number import decimal_number
from .._errors import InvalidInput
from .._kernel.files.within_root import exists_inside, read_inside

# Bytes of /etc/passwd and /etc/group that are read.
_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class User:
    """Ids of a user and its groups, its home directory, name ("" without an entry) and login shell."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    name: str = ""
    shell: str = "/bin/sh"

    @property
    def login_variables(self) -> dict[str, str]:
        """Variables that login(1) and sshd(8) set, besides HOME and PATH."""
        name = self.name or str(self.uid)
        return {"USER": name, "LOGNAME": name, "SHELL": self.shell}


def resolve_user(text: str, roots: list[str]) -> User:
    """The user `text` (NAME, UID, NAME:GROUP or UID:GID) in a root with the layers `roots`, topmost first.

    Raises InvalidInput if a name does not exist; a number needs no entry.
    """
    name, _, group = text.partition(":")
    passwd = _table(roots, "etc/passwd", 7, ids=(2, 3), mention=name)
    entry = next((row for row in passwd if row[0] == name), None)
    if entry is None and _is_id(name):
        entry = next((row for row in passwd if row[2] == name), ["", "", name, "0", "", "/", ""])
    if entry is None:
        raise InvalidInput(f"there is no user {name!r} in the container", "create it in the image, or give its uid")
    groups = _table(roots, "etc/group", 4, ids=(2,), mention=group or entry[0])
    gid, member_of = int(entry[3]), []
    if group:
        gid = _group_id(group, groups)
    else:
        member_of = [int(row[2]) for row in groups if entry[0] and entry[0] in row[3].split(",")]
    all_groups = tuple(dict.fromkeys([gid, *member_of]))
    return User(int(entry[2]), gid, all_groups, entry[5] or "/", entry[0], entry[6] or "/bin/sh")


def resolve_groups(names: Iterable[str], roots: list[str]) -> tuple[int, ...]:
    """The ids of groups by name or number in a root with the layers `roots`, topmost first. Raises InvalidInput."""
    return tuple(_group_id(name, _table(roots, "etc/group", 4, ids=(2,), mention=name)) for name in names)


def _group_id(name: str, groups: list[list[str]]) -> int:
    row = next((row for row in groups if row[0] == name), None)
    if row is None and not _is_id(name):
        raise InvalidInput(f"there is no group {name!r} in the container", "create it in the image, or give its gid")
    return int(row[2]) if row else int(name)


def system_environment(root: str) -> dict[str, str]:
    """Return the variables in /etc/environment below `root`, as pam_env(8) reads it for logins."""
    lines = (_read(root, "etc/environment") or "").split("\n")
    pairs = [line.strip().removeprefix("export ").partition("=") for line in lines if not line.lstrip().startswith("#")]
    found = {name.strip(): value.strip() for name, equals, value in pairs if equals}
    return {
        name: value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
        for name, value in found.items()
        if re.fullmatch(r"\w+", name, re.ASCII) and "\0" not in value
    }


def require_ids(text: str, user: User, size: int, groups: Iterable[int] = ()) -> None:
    """Check that the ids of `user` and of further `groups` are among the container's, 0 to `size` - 1.

    Raises InvalidInput if not.
    """
    for number in (user.uid, *user.groups, *groups):
        if number >= size:
            raise InvalidInput(
                f"user {text}: id {number} is not in the container's range of ids, 0 to {size - 1}",
                "use an id in that range, set a larger size in userns, or set userns: host",
            )


def _table(roots: list[str], path: str, columns: int, ids: tuple[int, ...], mention: str) -> list[list[str]]:
    """Valid rows that contain `mention`, of the first layer in `roots` that has the file.

    Untrusted content: a valid row has `columns` columns, and an id in each of the columns `ids`.
    """
    for root in roots:
        text = _read(root, path)
        if text is not None:
            rows = [line.split(":") for line in text.split("\n") if mention in line]
            return [row for row in rows if len(row) == columns and all(_is_id(row[column]) for column in ids)]
    return []


def _is_id(text: str) -> bool:
    """Whether `text` is the id of a user or group. The largest 32-bit number means "unchanged" (setresuid(2))."""
    return decimal_number(text, (1 << 32) - 1) is not None


def _read(root: str, path: str) -> str | None:
    """Text of a file below `root`; None if it does not exist, empty if it cannot be read or is not a file."""
    try:
        root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not exists_inside(root_fd, path):
            return None
        return (read_inside(root_fd, path, _MAX_BYTES) or b"").decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(root_fd)
