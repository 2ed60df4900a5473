# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The caller's terminal: its size, and its raw mode, in which every key is for the command (termios(3))."""

from __future__ import annotations

import contextlib
import fcntl
import termios
import tty
from collections.abc import Iterator


def size() -> bytes:
    """Rows and columns of the terminal that we write to (struct winsize, ioctl_tty(2))."""
    return fcntl.ioctl(1, termios.TIOCGWINSZ, bytes(8))


def set_size(master: int, size: bytes) -> None:
    """Give another terminal this size; what runs in its foreground is told by SIGWINCH."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, size)


@contextlib.contextmanager
def raw() -> Iterator[None]:
    """Have the terminal that we read from in raw mode for the block, and as it was afterwards, whatever happens."""
    before = termios.tcgetattr(0)
    try:
        # Not what is the default: keys that were typed ahead would be lost.
        tty.setraw(0, termios.TCSADRAIN)
        yield
    finally:
        # Where it is gone there is nothing to restore.
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSADRAIN, before)
