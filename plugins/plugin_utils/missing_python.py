# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message of a shell inside that the container has no Python."""

from __future__ import annotations

import re

# Bytes at the end of the errors that are searched, and of a path: processes inside can write any amount of anything.
_SEARCHED = 4096
_NO_PYTHON = re.compile(rb"(\S{0,200}python[\d.]{0,20}): (?:not found|No such file)")


def find_missing_python(stderr: bytes) -> bytes | None:
    """Return the path of the Python that the shell did not find, None if it does not say so."""
    found = _NO_PYTHON.search(stderr[-_SEARCHED:])
    return found[1] if found else None
