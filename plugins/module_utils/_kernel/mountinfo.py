# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mount points of this mount namespace (proc(5), mountinfo)."""

from __future__ import annotations

import re


def mount_points_below(directory: str, mountinfo: str = "/proc/self/mountinfo") -> list[str]:
    """Return mount points at and below `directory`, the deepest and latest first: the order to unmount them in."""
    found = []
    with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            point = _unescape(line.split(" ")[4])
            if point == directory or point.startswith(directory.rstrip("/") + "/"):
                found.append(point)
    return found[::-1]


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
