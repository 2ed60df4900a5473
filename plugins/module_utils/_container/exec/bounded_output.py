# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded parts of a command's output, which can be endless."""

from __future__ import annotations

from typing import Protocol


class BoundedOutput(Protocol):
    """A part of a stream, and whether the rest was discarded."""

    truncated: bool

    @property
    def content(self) -> bytes: ...

    def add(self, data: bytes) -> None:
        """Add the next bytes of the stream."""


class Head:
    """The first `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._parts: list[bytes] = []
        self.truncated = False

    @property
    def content(self) -> bytes:
        return b"".join(self._parts)

    def add(self, data: bytes) -> None:
        self.truncated = self.truncated or len(data) > self._left
        data = data[: self._left]
        self._left -= len(data)
        # Commands can write single bytes; one object for each would use more memory than the limit.
        if self._parts and len(self._parts[-1]) < _MIN_PART:
            self._parts[-1] += data
        elif data:
            self._parts.append(data)


class Tail:
    """The last `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.content = b""
        self.truncated = False

    def add(self, data: bytes) -> None:
        whole = self.content + data
        self.truncated = self.truncated or len(whole) > self._limit
        self.content = whole[-self._limit :]


_MIN_PART = 1 << 12
