# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our JSON files: versioned, written whole, and never half understood. This is their one reader.

A run asks for the same ones again and again, and reads each once: the text is kept for as long as it is the same file.
Each writing makes a new one (write_atomic), so that its number, size and time tell it from all others.
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
from .typed_values import Kind, wrong

# Raised by a release whose files an older one would misunderstand. A key that an older one may ignore needs no new one.
VERSION = 1
# Bytes. The largest that is written is the container.json of a container with a large environment.
_LARGEST = 16 << 20
# Nanoseconds, more than a step of the clock that files have: one that has just been written may be written to again
# without showing it.
_SETTLED = 100_000_000
# By path: which file it was, and its text.
_known: dict[str, tuple[tuple[int, ...], bytes]] = {}
_REMEDY = "restore it, or remove what it belongs to and create that anew"


def write_json(path: str, value: dict[str, Any]) -> None:
    """Write `value` with the format's version to `path`, atomically."""
    text = json.dumps({"version": VERSION, **value}, indent=1, sort_keys=True)
    data = text.encode() + b"\n"
    _known[path] = _identity(write_atomic(path, data)), data


def read_json(
    path: str, kinds: Mapping[str, Kind] | None = None, required: Collection[str] = (), remedy: str = _REMEDY
) -> dict[str, Any] | None:
    """The object in `path` without its version, or None where there is no such file.

    Raises Damaged for a file that is no JSON object of our version, whose values are not of their `kinds` (see
    typed_values.py), or that lacks a `required` key: it names the file, and leaves it as it is.
    """
    value = read_object(path, remedy)
    if value is None:
        return None
    _check_version(path, value.pop("version", None), remedy)
    problem = wrong(value, kinds or {}, required)
    if problem:
        raise Damaged(f"{path} is damaged ({problem})", remedy)
    return value


def read_object(path: str, remedy: str) -> dict[str, Any] | None:
    """The JSON object in the file `path`, None where there is no such file. Raises Damaged.

    As RFC 8259 has it: no NaN, no name twice in an object (Python's reader would take the last one, others the first).
    """
    text = _read(path, remedy)
    if text is None:
        return None
    try:
        value = json.loads(text, parse_constant=_no_number, object_pairs_hook=_with_names_once)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path} is damaged ({error})", remedy) from None
    if not isinstance(value, dict):
        raise Damaged(f"{path} is damaged (it is no object)", remedy)
    return value


def _read(path: str, remedy: str) -> bytes | None:
    identity, text = _known.get(path, ((), b""))
    try:
        if identity and identity == _identity(os.stat(path)):
            return text
        # Non-blocking for a FIFO in its place.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Damaged(f"{path} cannot be read ({error.strerror})", remedy) from None
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise Damaged(f"{path} is damaged (it is no file)", remedy)
    with open(fd, "rb") as file:
        try:
            text = file.read(_LARGEST + 1)
        except OSError as error:
            raise Damaged(f"{path} cannot be read ({error.strerror})", remedy) from None
    if len(text) > _LARGEST:
        raise Damaged(f"{path} is damaged (it has more than {_LARGEST} bytes)", remedy)
    if time.time_ns() - found.st_mtime_ns > _SETTLED:
        _known[path] = _identity(found), text
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


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def _with_names_once(pairs: list[tuple[str, object]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("it has a name twice in an object")
    return value
