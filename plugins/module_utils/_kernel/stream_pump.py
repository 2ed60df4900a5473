# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy bytes between descriptors, several flows at once, with at most one chunk buffered per flow."""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import stat
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

_CHUNK = 1 << 16
# The largest pipe (pipe(7), pipe-max-size of an unprivileged user).
_PIPE_SIZE = 1 << 20
# poll(2) takes the timeout as a 32-bit number of milliseconds.
_LONGEST_POLL = (1 << 31) - 1
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR | select.POLLNVAL
_WRITABLE = select.POLLOUT | select.POLLHUP | select.POLLERR | select.POLLNVAL


class Pumped(Protocol):
    """The part of a Flow that `relay` uses."""

    over: bool
    dry: bool

    def waits_for(self) -> tuple[int, int]: ...

    def go_on(self) -> int: ...


class Flow:
    """A copy from `source` to `sink`.

    The source is a descriptor, or bytes. The sink is a descriptor, or a function that takes the data. A descriptor may
    be blocking: it is the caller's, and other processes use it too.

    A flow is over if its source has ended or its sink accepts no more. `closes_sink` and `closes_source` then close
    that descriptor, so that a command at the other end of the pipe notices.
    """

    def __init__(
        self,
        source: int | bytes,
        sink: int | Callable[[bytes], object],
        *,
        closes_sink: bool = False,
        closes_source: bool = False,
    ) -> None:
        # -1: bytes, or a function.
        self._source = source if isinstance(source, int) else -1
        self._sink = sink if isinstance(sink, int) else -1
        self._take = sink if callable(sink) else None
        self._closes = [fd for fd, closes in ((self._sink, closes_sink), (self._source, closes_source)) if closes]
        self._pending = memoryview(source if isinstance(source, bytes) else b"")
        # Whether the flow is over, and whether its source has ended.
        self.over = self.dry = False
        self._at_once = _writable_at_once(self._sink) if self._sink >= 0 else 0
        if source == b"":
            self.end()

    def waits_for(self) -> tuple[int, int]:
        """Return the descriptor that the flow waits for, and the poll event."""
        return (self._sink, select.POLLOUT) if self._pending else (self._source, select.POLLIN)

    def go_on(self) -> int:
        """Read or write once, and return the number of bytes read."""
        return self._write() if self._pending else self._read()

    def _read(self) -> int:
        try:
            data = os.read(self._source, _CHUNK)
        except BlockingIOError:
            return 0
        except OSError as error:
            data = _end_of(error)
        if not data:
            self.dry = True
            self.end()
        elif self._take is not None:
            self._take(data)
        else:
            self._pending = memoryview(data)
        return len(data)

    def _write(self) -> int:
        try:
            self._pending = self._pending[os.write(self._sink, self._pending[: self._at_once]) :]
        except BlockingIOError:
            return 0
        except OSError as error:
            self._pending = memoryview(_end_of(error))
            self.end()
        if not self._pending and self._source < 0:
            self.end()
        return 0

    def end(self) -> None:
        """End the flow, and discard what was read and not written."""
        self.over, self._pending = True, memoryview(b"")
        while self._closes:
            os.close(self._closes.pop())


class Signals(NamedTuple):
    """A descriptor that yields each received signal as one byte, and a function that returns whether to go on."""

    fd: int
    on_signal: Callable[[int], bool]


def relay(
    child: int,
    flows: Sequence[Pumped],
    *,
    signals: Signals | None = None,
    until_over: Sequence[Pumped] = (),
    until_dry: Pumped | None = None,
    deadline: float = math.inf,
) -> bool:
    """Run `flows` until the process of the pidfd `child` has ended and `until_over` are over. Return whether it has.

    Returns early at the `deadline` (time.monotonic()), if a signal ends it, or if the source of `until_dry` has ended.
    Raises BrokenPipeError if the descriptor of the signals has ended.
    """
    ended = False
    while not ended or not all(flow.over for flow in until_over):
        waiting = {} if ended else {child: select.POLLIN}
        if signals is not None:
            waiting[signals.fd] = select.POLLIN
        active = [flow for flow in flows if not flow.over]
        for flow in active:
            fd, event = flow.waits_for()
            waiting[fd] = waiting.get(fd, 0) | event
        left = deadline - time.monotonic()
        happened = _poll(waiting, max(0.0, left))
        if signals is not None and signals.fd in happened:
            received = os.read(signals.fd, 64)
            if not received:
                raise BrokenPipeError("the sender of the signals has ended")
            if not all(signals.on_signal(number) for number in received):
                return False
        for flow in active:
            fd, event = flow.waits_for()
            if happened.get(fd, 0) & (_READABLE if event == select.POLLIN else _WRITABLE):
                flow.go_on()
        ended = ended or child in happened
        # The deadline is checked in each round, since there may always be something to read.
        if not ended and (left <= 0 or (until_dry is not None and until_dry.dry)):
            return False
    return True


def drain(flow: Flow, signals: int | None = None) -> None:
    """Copy the data that is available, without waiting for more, and end the flow.

    At most as much as a pipe holds: a background process may keep the source open, and fill it. If the sink accepts no
    data, a signal from the descriptor `signals` other than SIGWINCH ends the flow.
    """
    left = _PIPE_SIZE
    while not flow.over:
        fd, event = flow.waits_for()
        reading = event == select.POLLIN
        waiting = {fd: event} if signals is None else {fd: event, signals: select.POLLIN}
        happened = _poll(waiting, 0 if reading else math.inf) if left > 0 or not reading else {}
        if signals is not None and signals in happened and set(os.read(signals, 64)) != {signal.SIGWINCH}:
            flow.end()
        elif fd in happened:
            left -= flow.go_on()
        elif reading:
            flow.end()


def _poll(waiting: dict[int, int], seconds: float) -> dict[int, int]:
    poll = select.poll()
    for fd, events in waiting.items():
        poll.register(fd, events)
    # Rounded up: otherwise it would not wait in the last millisecond.
    return dict(poll.poll(None if seconds == math.inf else min(math.ceil(seconds * 1000), _LONGEST_POLL)))


def _writable_at_once(sink: int) -> int:
    """Bytes that a write to `sink` never blocks for after poll(2): PIPE_BUF (pipe(7)) if it is not a file."""
    return _CHUNK if stat.S_ISREG(os.fstat(sink).st_mode) or not os.get_blocking(sink) else select.PIPE_BUF


def _end_of(error: OSError) -> bytes:
    """Return no data for an error which means that the other end is gone. Raises the others."""
    # EPIPE: the reader is gone. EIO: the terminal is closed. EBADF: opened for one direction only.
    if error.errno not in (errno.EPIPE, errno.EIO, errno.EBADF, errno.ECONNRESET):
        raise error
    return b""
