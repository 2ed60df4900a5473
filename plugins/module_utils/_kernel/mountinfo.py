# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mount points of this mount namespace (proc(5), mountinfo)."""

from __future__ import annotations

import os
import re

from .path_text import to_bytes


def mount_points_below(directory: str, mountinfo: str = "/proc/self/mountinfo") -> list[str]:
    """Return mount points at and below `directory`, the deepest and latest first: the order to unmount them in."""
    found = []
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            point = _unescape(line.split(" ")[4])
            if point == directory or point.startswith(directory.rstrip("/") + "/"):
                found.append(point)
    return found[::-1]


def propagation_of(path: str, mountinfo: str = "/proc/self/mountinfo") -> tuple[str, set[str]]:
    """Return the mount point of the mount that `path` is in, and names of its optional fields: shared, master.

    Raises OSError.
    """
    fd = os.open(to_bytes(path), os.O_PATH | os.O_CLOEXEC)
    try:
        # Not that in the device number: several mounts can show one file system.
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
            mount_id = next(line.split()[1] for line in file if line.startswith("mnt_id:"))
    finally:
        os.close(fd)
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            number, _, _, _, point, _, *rest = line.split(" ")
            if number == mount_id:
                return _unescape(point), {field.partition(":")[0] for field in rest[: rest.index("-")]}
    return "/", set()


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
