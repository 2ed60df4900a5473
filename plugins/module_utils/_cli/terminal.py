# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The caller's terminal: its size, and raw mode, in which every key goes to the command (termios(3))."""

from __future__ import annotations

import contextlib
import fcntl
import termios
import tty
from collections.abc import Iterator


def size() -> bytes:
    """Return rows and columns of the terminal at standard output (struct winsize, ioctl_tty(2))."""
    return fcntl.ioctl(1, termios.TIOCGWINSZ, bytes(8))


def set_size(master: int, size: bytes) -> None:
    """Set the size of another terminal; its foreground processes get SIGWINCH."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, size)


@contextlib.contextmanager
def raw() -> Iterator[None]:
    """Put the terminal at standard input into raw mode for the block, and restore it afterwards."""
    before = termios.tcgetattr(0)
    try:
        # Not the default TCSAFLUSH, which would discard typed-ahead keys.
        tty.setraw(0, termios.TCSADRAIN)
        yield
    finally:
        # If the terminal is gone, there is nothing to restore.
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, before)
