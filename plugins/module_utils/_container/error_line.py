# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of a process that is about to become another program, which reach the module through a pipe. Pure."""

from __future__ import annotations

from .._errors import ConductorError, printable

# Characters, each at most 4 bytes.
_LONGEST = 1000


def error_line(error: BaseException) -> bytes:
    """An error as one line, to be sent through a pipe. Never fails, and imports nothing.

    It is cut to what a pipe takes at once (PIPE_BUF, 4096 bytes, pipe(7)), so that a reader that is not there yet, or
    reads once, blocks nobody: a name of a program that does not exist may have any length.
    """
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, ConductorError):
        text = str(error)
    elif isinstance(error, OSError):
        path = error.filename
        # Decoded as UTF-8, since repr() of bytes would escape umlauts and the like.
        path = path.decode("utf-8", "backslashreplace") if isinstance(path, bytes) else path
        text = f"{error.strerror}{f' ({path})' if path else ''}"
    text = printable(text)
    if len(text) > _LONGEST:
        # The remedy is at the end.
        text = f"{text[: _LONGEST // 2]}...{text[-_LONGEST // 2 :]}"
    return text.encode()
