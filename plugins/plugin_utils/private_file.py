# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller that only the user can read. Each task loads this file, so it imports as little as possible.

`write_atomic` of module_utils is for managed hosts: it survives a power loss, and needs /proc.
"""

from __future__ import annotations

import os


def write_private(path: str, text: str) -> None:
    """Write `text` to `path`, readable by the owner only. A reader sees the whole old or the whole new content."""
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8", opener=_open_private) as file:
        file.write(text)
    os.replace(temporary, path)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
