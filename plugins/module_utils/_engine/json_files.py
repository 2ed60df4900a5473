# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write the JSON files of this collection: versioned, written atomically, and validated as a whole.

A run needs the same files repeatedly and reads each once: the text is cached until the file is replaced. Each write
creates a new file (write_atomic), which inode number, size and time identify.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Collection, Mapping
from typing import Any

from .._errors import Damaged
from .._kernel.files.atomic_write import write_atomic
from .typed_values import Kind, find_problem

# Increased if an older release would misread the files. A new key that an older release may ignore needs no increase.
VERSION = 1
# Maximum bytes of a file. The largest is the container.json of a container with a large environment.
_MAX_SIZE = 16 << 20
# Nanoseconds, more than the resolution of file times: a younger file may be written again without a new time.
_MIN_AGE = 100_000_000
# Identity and text of the cached files, by path.
_cache: dict[str, tuple[tuple[int, ...], bytes]] = {}
_REMEDY = "restore it, or remove the object that it belongs to and create that again"


def write_json(path: str, value: dict[str, Any]) -> None:
    """Write `value` with the format version to `path`, atomically."""
    text = json.dumps({"version": VERSION, **value}, indent=1, sort_keys=True)
    data = text.encode() + b"\n"
    _cache[path] = _identity(write_atomic(path, data)), data


def forget(path: str) -> None:
    """Release the cached text of a file, in a process that lives longer than a run."""
    _cache.pop(path, None)


def read_json(
    path: str, kinds: Mapping[str, Kind] | None = None, required: Collection[str] = (), remedy: str = _REMEDY
) -> dict[str, Any] | None:
    """Return the object in `path` without its version, or None if the file does not exist.

    Raises Damaged, which names the file, if it is not a JSON object of the present version, if its values are not of
    their `kinds` (see typed_values.py), or if a `required` key is missing. The file is left unchanged.
    """
    value = read_object(path, remedy)
    if value is None:
        return None
    _check_version(path, value.pop("version", None), remedy)
    problem = find_problem(value, kinds or {}, required)
    if problem:
        raise Damaged(f"{path} is damaged ({problem})", remedy)
    return value


def read_object(path: str, remedy: str) -> dict[str, Any] | None:
    """Return the JSON object in the file `path`, or None if it does not exist. Raises Damaged.

    Follows RFC 8259: no NaN, and no duplicate name in an object (Python would use the last one, other parsers the
    first).
    """
    text = _read(path, remedy)
    if text is None:
        return None
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique_names)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path} is damaged ({error})", remedy) from None
    if not isinstance(value, dict):
        raise Damaged(f"{path} is damaged (it is not a JSON object)", remedy)
    return value


def _read(path: str, remedy: str) -> bytes | None:
    identity, text = _cache.get(path, ((), b""))
    try:
        if identity and identity == _identity(os.stat(path)):
            return text
        # O_NONBLOCK: a FIFO in its place must not block.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Damaged(f"{path} cannot be read ({error.strerror})", remedy) from None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise Damaged(f"{path} is damaged (it is not a regular file)", remedy)
    with open(fd, "rb") as file:
        try:
            text = file.read(_MAX_SIZE + 1)
        except OSError as error:
            raise Damaged(f"{path} cannot be read ({error.strerror})", remedy) from None
    if len(text) > _MAX_SIZE:
        raise Damaged(f"{path} is damaged (it has more than {_MAX_SIZE} bytes)", remedy)
    if time.time_ns() - found.st_mtime_ns > _MIN_AGE:
        _cache[path] = _identity(found), text
    return text


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _check_version(path: str, version: object, remedy: str) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise Damaged(f"{path} is damaged (it has no format version)", remedy)
    if version > VERSION:
        raise Damaged(
            f"{path} was written by a newer release of conductor.containers (its format is {version}, not {VERSION})",
            "update the collection",
        )


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has a duplicate name")
    return value
