# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our JSON files: versioned, written whole, and never half understood."""

from __future__ import annotations

import json

from .._errors import Damaged
from .._linux.files import write_atomic

VERSION = 1


def write_json(path: str, value: dict) -> None:
    """Write `value` with the format's version to `path`, atomically."""
    text = json.dumps({"version": VERSION, **value}, indent=1, sort_keys=True)
    write_atomic(path, text.encode() + b"\n")


def read_json(path: str) -> dict | None:
    """The object in `path` without its version, or None where there is no such file.

    Raises Damaged where the file is no JSON object of our version: it says which file, and leaves it as it is.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Damaged(
            f"{path} is damaged ({error})", "restore it, or remove what it belongs to and create that anew"
        ) from None
    if not isinstance(value, dict) or value.get("version") != VERSION:
        found = value.get("version") if isinstance(value, dict) else type(value).__name__
        raise Damaged(f"{path} has the format version {found!r}, not {VERSION}", "it was written by another release")
    del value["version"]
    return value
