# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Executing a program that is found in PATH: os.execvpe() imports a module to do so, here nothing is imported."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence

# A directory of PATH with one of these says nothing about the next one (glibc's posix/execvpe.c).
_NOT_HERE = (errno.EACCES, errno.ENOENT, errno.ESTALE, errno.ENOTDIR, errno.ENODEV, errno.ETIMEDOUT)


def execute(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Replace the process by the program `argv[0]`, searched as by execvp(3) in PATH of `environment`. Never returns.

    Texts are UTF-8 for the program, whatever the locale. Raises OSError.
    """
    words = [to_bytes(word) for word in argv]
    variables = {to_bytes(name): to_bytes(value) for name, value in environment.items()}
    program = words[0]
    if b"/" in program:
        candidates = [program]
    else:
        candidates = [b"%s/%s" % (directory or b".", program) for directory in variables.get(b"PATH", b"").split(b":")]
    reason = OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    for candidate in candidates:
        try:
            os.execve(candidate, words, variables)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            reason = _more_telling(reason, _explained(error, candidate))
    raise reason


def to_bytes(text: str) -> bytes:
    """A path or text as the kernel gets it: UTF-8, where os.fsencode() would go by the locale.

    Raises UnicodeEncodeError for half of a surrogate pair.
    """
    return text.encode("utf-8", "surrogateescape")


def native(path: str) -> str:
    """A path as Python's own functions take it for the kernel to get UTF-8, whatever the locale."""
    return os.fsdecode(to_bytes(path))


def shown(path: str) -> str:
    """What `native` was made of, or what Python's own functions return, for people."""
    return os.fsencode(path).decode("utf-8", "replace")


def _explained(error: OSError, path: bytes) -> OSError:
    """ENOENT for a file that exists is about the one that is to run it: the program after #!, or the ELF loader."""
    if error.errno == errno.ENOENT and os.access(path, os.F_OK):
        return OSError(errno.ENOENT, "the interpreter that its first line names, or its loader, does not exist")
    return error


def _more_telling(first: OSError, second: OSError) -> OSError:
    """Which of two directories' errors is reported: EACCES, as by execvp(3), then that of a file that exists."""
    plain = os.strerror(errno.ENOENT)
    if first.errno == errno.EACCES:
        return first
    return first if second.strerror == plain and first.strerror != plain else second
