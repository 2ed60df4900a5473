# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors that a user reads, and how foreign text is shown in them. Anything else that escapes is a bug."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """`text` with every character that could act on a terminal as an escape, except those of `keep`.

    That includes line ends, bytes that are no text (surrogates) and characters that change the direction of text.
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)


def shown(data: bytes | str, most: int = 1000) -> str:
    """What a program, a container or a host said, as one line of at most `most` characters for a message."""
    text = data.decode(errors="replace") if isinstance(data, bytes) else data
    # Cut first: a text without end costs nothing.
    line = printable(" ".join(text[: 4 * most].split()))
    return line if len(line) <= most else f"{line[: most - 3]}..."


class ConductorError(Exception):
    """Something a user can act on.

    `message` is one line, "THING: problem". `hint` is the remedy in the imperative, without a full stop. `facts` are
    extra values for the module's result (a log's path, an exit status).
    """

    def __init__(self, message: str, hint: str = "", **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts
        # Whether an earlier task of a play may be about to make or start what is lacking.
        self.may_come = False

    def __str__(self) -> str:
        if not self.hint:
            return self.message
        return f"{self.message}. {self.hint[0].upper()}{self.hint[1:]}."


class InvalidInput(ConductorError):
    """An option's value cannot be right, whatever the host looks like."""


class Conflict(ConductorError):
    """The host's present state forbids what was asked (in use, taken, would lose data)."""


class NotFound(ConductorError):
    """A named image, container or file does not exist."""


class HostNotCapable(ConductorError):
    """A program, library, kernel feature or right is missing on the managed host."""


class Damaged(ConductorError):
    """A state file of ours cannot be understood."""


class EffectFailed(ConductorError):
    """An action of the plan failed on the way."""


class LockTimeout(ConductorError):
    """Another process holds a lock for longer than we wait."""


def not_yet(error: ConductorError) -> ConductorError:
    """`error`, marked: an earlier task of a play may be about to make or start what is lacking."""
    error.may_come = True
    return error
