# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy bytes between descriptors, several flows at once, with at most one chunk buffered per flow."""

from __future__ import annotations

import errno
import os
import select
import signal
import stat
from collections.abc import Callable, Sequence

_CHUNK = 1 << 16
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR | select.POLLNVAL
_WRITABLE = select.POLLOUT | select.POLLHUP | select.POLLERR | select.POLLNVAL


class Flow:
    """A copy from `source` to `sink`. One of them may be blocking: it is the caller's, and other processes use it too.

    A flow is over if its source has ended or its sink accepts no more. `closes_sink` and `closes_source` then close
    that descriptor, so that a command at the other end of the pipe notices.
    """

    def __init__(self, source: int, sink: int, *, closes_sink: bool = False, closes_source: bool = False) -> None:
        self.source, self.sink = source, sink
        self._closes = [*([sink] if closes_sink else []), *([source] if closes_source else [])]
        self._pending = b""
        # Whether the flow is over, and whether its source has ended.
        self.over = self.dry = False
        # Bytes that a write never blocks for after poll(2) (pipe(7)); a file takes any amount.
        self._at_once = _CHUNK if stat.S_ISREG(os.fstat(sink).st_mode) else select.PIPE_BUF

    def waits_for(self) -> tuple[int, int]:
        """Return the descriptor that the flow waits for, and the poll event."""
        return (self.sink, select.POLLOUT) if self._pending else (self.source, select.POLLIN)

    def go_on(self) -> None:
        """Read or write once."""
        reading = not self._pending
        try:
            if reading:
                self._pending = os.read(self.source, _CHUNK)
            else:
                self._pending = self._pending[os.write(self.sink, self._pending[: self._at_once]) :]
        except BlockingIOError:
            return
        except OSError as error:
            # EPIPE: the reader is gone. EIO: the terminal is closed. EBADF: opened for one direction only.
            if error.errno not in (errno.EPIPE, errno.EIO, errno.EBADF, errno.ECONNRESET):
                raise
            self.dry = reading
            self.end()
            return
        if reading and not self._pending:
            self.dry = True
            self.end()

    def end(self) -> None:
        self.over, self._pending = True, b""
        while self._closes:
            os.close(self._closes.pop())


def relay(
    helper: int,
    flows: Sequence[Flow],
    signals: int,
    on_signal: Callable[[int], bool],
    until_dry: Flow | None = None,
) -> bool:
    """Run `flows` until the child process `helper` has ended. Return whether it has.

    `on_signal` is called with each signal that is read from `signals`, and returns whether to continue. Returns early
    if the source of `until_dry` has ended.
    """
    pidfd = os.pidfd_open(helper)
    try:
        while True:
            waiting = {pidfd: select.POLLIN, signals: select.POLLIN}
            active = [flow for flow in flows if not flow.over]
            for flow in active:
                fd, event = flow.waits_for()
                waiting[fd] = waiting.get(fd, 0) | event
            poll = select.poll()
            for fd, events in waiting.items():
                poll.register(fd, events)
            happened = dict(poll.poll())
            if signals in happened and not all(on_signal(number) for number in os.read(signals, 64)):
                return False
            for flow in active:
                fd, event = flow.waits_for()
                if happened.get(fd, 0) & (_READABLE if event == select.POLLIN else _WRITABLE):
                    flow.go_on()
            if pidfd in happened:
                return True
            if until_dry is not None and until_dry.dry:
                return False
    finally:
        os.close(pidfd)


def drain(flow: Flow, signals: int) -> None:
    """Copy the data that is available, without waiting for more: a background process may keep the source open.

    If the sink accepts no data, a signal from `signals` other than SIGWINCH ends the flow.
    """
    while not flow.over:
        fd, event = flow.waits_for()
        poll = select.poll()
        poll.register(fd, event)
        poll.register(signals, select.POLLIN)
        happened = dict(poll.poll(0 if event == select.POLLIN else None))
        if signals in happened and set(os.read(signals, 64)) != {signal.SIGWINCH}:
            flow.end()
        elif fd in happened:
            flow.go_on()
        elif event == select.POLLIN:
            flow.end()
