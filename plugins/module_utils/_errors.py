# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that a user reads, and text of other origin in them. Any other exception that escapes is a bug."""

from __future__ import annotations

import re


def printable(text: str, keep: str = "") -> str:
    """Return `text` with every character that could act on a terminal escaped, except those in `keep`.

    Escapes include line ends, bytes that are not text (surrogates) and characters that change the text direction.
    """
    # Not by a codec: Python would import it, in a process that has entered a container from a file of the container.
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def one_line(data: bytes | str, most: int = 1000) -> str:
    """Return output of a program, a container or a host as one line of at most `most` characters, for a message."""
    text = data.decode(errors="replace") if isinstance(data, bytes) else data
    # Cut first, so that a text of any length costs little.
    line = printable(" ".join(text[: 4 * most].split()))
    return line if len(line) <= most else f"{line[: most - 3]}..."


class ConductorError(Exception):
    """An error that a user can act on, rendered as "MESSAGE. Hint.".

    `message` is one line, "THING: problem". `hint` is the remedy in the imperative, without a full stop. `facts` are
    additional values for the module's result (the path of a log, an exit status).
    """

    def __init__(self, message: str, hint: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts
        # In check mode: an earlier task of the play may create or start the missing object.
        self.is_pending = False

    def __str__(self) -> str:
        if not self.hint:
            return self.message
        # The message may have a whole error of another process at its end.
        return f"{self.message.removesuffix('.')}. {self.hint[0].upper()}{self.hint[1:]}."


class InvalidInput(ConductorError):
    """The value of an option is invalid on every host."""


class Conflict(ConductorError):
    """The request conflicts with the current state of the host (in use, already taken, data would be lost)."""


class NotFound(ConductorError):
    """The named image, container or file does not exist."""


class HostNotCapable(ConductorError):
    """The managed host lacks a program, library, kernel feature or privilege."""


class Damaged(ConductorError):
    """A state file of this collection cannot be parsed."""


class EffectFailed(ConductorError):
    """An action of the plan failed while it was applied."""


class LockTimeout(ConductorError):
    """Another process held a lock for longer than the timeout."""


def name_in_message(error: ConductorError, name: object) -> None:
    """Begin the message with `name`, the container or image of the task, unless it has it.

    Not for errors that concern the host.
    """
    of_host = (HostNotCapable, Damaged, LockTimeout)
    if isinstance(error, of_host) or not isinstance(name, str) or not re.fullmatch(r"[\w.-]{1,63}", name):
        return
    if not re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", error.message):
        error.message = f"{name}: {error.message}"


def container_not_found(name: str, remedy: str = "") -> NotFound:
    """Return the error about a container that does not exist. `remedy` defaults to its creation."""
    return NotFound(f"container {name} does not exist", remedy or f"create {name} with conductor_container")


def mark_pending(error: ConductorError) -> ConductorError:
    """Mark `error` and return it: in check mode an earlier task of the play may create or start the missing object."""
    error.is_pending = True
    return error
