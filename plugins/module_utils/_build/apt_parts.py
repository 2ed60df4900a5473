# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that apt reads in a directory of parts of its configuration, such as /etc/apt/sources.list.d."""

from __future__ import annotations

import os
import re


def apt_parts(directory: str, suffix: str, or_no_suffix: bool = False) -> list[str]:
    """Return the paths of the files with `suffix`, and of those without a dot in their name if `or_no_suffix` is true.

    apt ignores files with other characters in their names (GetListOfFilesInDir() in its source).
    """
    if not os.path.isdir(directory):
        return []
    names = [name for name in sorted(os.listdir(directory)) if re.fullmatch(r"[A-Za-z0-9_:-][A-Za-z0-9_:.-]*", name)]
    wanted = [name for name in names if name.endswith(f".{suffix}") or (or_no_suffix and "." not in name)]
    return [path for path in (os.path.join(directory, name) for name in wanted) if os.path.isfile(path)]
