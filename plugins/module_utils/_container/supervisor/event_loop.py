# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A loop that calls a handler for each readable descriptor (epoll(7))."""

from __future__ import annotations

import os
import select
from collections.abc import Callable


class EventLoop:
    """Descriptors and their handlers, which must not block. Its length is the number of descriptors."""

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[], None]] = {}
        self._poll = select.epoll()

    def __len__(self) -> int:
        return len(self._handlers)

    def add(self, fd: int, handler: Callable[[], None]) -> None:
        """Call `handler` whenever `fd` is readable. Raises OSError."""
        self._poll.register(fd, select.EPOLLIN)
        self._handlers[fd] = handler

    def remove(self, fd: int) -> None:
        """Do not watch `fd` any more, if it is watched. It stays open."""
        if self._handlers.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def close(self, fd: int) -> None:
        """Close `fd`, and do not watch it any more."""
        self.remove(fd)
        os.close(fd)

    def handle(self, timeout: float | None) -> None:
        """Wait up to `timeout` seconds (None: without limit) for readable descriptors, and call their handlers."""
        ready = [(fd, self._handlers[fd]) for fd, _ in self._poll.poll(timeout)]
        for fd, handler in ready:
            # An earlier handler may have closed the descriptor, and its number may be in use again.
            if self._handlers.get(fd) is handler:
                handler()
