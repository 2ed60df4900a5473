# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Execute a program that is searched for in PATH. Unlike os.execvpe(), this imports no module at run time."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence

from .path_text import to_bytes

# Errors after which the search continues in the next directory of PATH (glibc's posix/execvpe.c).
_NOT_HERE = (errno.EACCES, errno.ENOENT, errno.ESTALE, errno.ENOTDIR, errno.ENODEV, errno.ETIMEDOUT)


def execute(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Replace this process by the program `argv[0]`, searched for as execvp(3) does in PATH of `environment`.

    Arguments and environment are encoded as UTF-8, independent of the locale. Raises OSError; never returns.
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
            reason = _more_specific(reason, _explained(error, candidate))
    raise reason


def _explained(error: OSError, path: bytes) -> OSError:
    """Explain ENOENT for a file that exists: the interpreter after #! or the ELF loader does not exist."""
    if error.errno == errno.ENOENT and os.access(path, os.F_OK):
        return OSError(errno.ENOENT, "the interpreter that its first line names, or its loader, does not exist")
    return error


def _more_specific(first: OSError, second: OSError) -> OSError:
    """Return the error to report of two directories: EACCES, as execvp(3) does, then that of a file that exists."""
    plain = os.strerror(errno.ENOENT)
    if first.errno == errno.EACCES:
        return first
    return first if second.strerror == plain and first.strerror != plain else second
