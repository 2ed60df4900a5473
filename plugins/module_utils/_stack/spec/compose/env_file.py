# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of environment variables: env_file of a service, and .env beside a Compose file.

https://github.com/compose-spec/compose-spec/blob/main/05-services.md#env_file-format.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping

from ...._errors import InvalidInput
from .interpolate import interpolate

_KEY = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.\[\]-]*)[ \t]*(?:([=:])[ \t]*|(?=\r?\n|$))")
_QUOTED = re.compile(
    r"""(?P<quote>["'])(?P<value>(?:\\.|(?!(?P=quote))[^\\])*)(?P=quote)[ \t]*(?:#[^\n]*)?\r?(?:\n|$)""", re.S
)
_COMMENT = re.compile(r"[ \t]#")
_BLANK = re.compile(r"\s*(?:#[^\n]*(?:\n|$)\s*)*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$$"}


def parse_env_file(text: str, variables: Mapping[str, str], unset: set[str], raw: bool = False) -> dict[str, str]:
    """Return the variables of a file, whose values may contain `variables` and earlier ones of the file.

    A name without `=` gets its value from `variables`, or is left out. `raw`: values are used as they are. Raises
    InvalidInput with the number of the line.
    """
    if raw:
        return _parse_raw(text)
    found: dict[str, str] = {}
    known = ChainMap(dict(variables), found)
    line, counted, position = 1, 0, _skip(text, 0)
    while position < len(text):
        line, counted = line + text.count("\n", counted, position), position
        key = _KEY.match(text, position)
        if key is None:
            raise InvalidInput(f"line {line} is not NAME=VALUE", "correct it, or begin the line with #")
        position = key.end()
        if key[2] is None:
            if key[1] in variables:
                found[key[1]] = variables[key[1]]
        else:
            value, position = _value(text, position, line)
            found[key[1]] = value[1:] if value.startswith("'") else interpolate(value[1:], known, unset)
        position = _skip(text, position)
    return found


def _skip(text: str, position: int) -> int:
    """Return the position behind blank lines and comments."""
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _value(text: str, position: int, line: int) -> tuple[str, int]:
    """Return the value at `position`, after a `'` if it is literal and a `"` if not, and the position behind it."""
    if text[position : position + 1] in ("'", '"'):
        quoted = _QUOTED.match(text, position)
        if quoted is None:
            raise InvalidInput(f"line {line} has a quote that is not closed at its end", "close the quote")
        if quoted["quote"] == "'":
            return "'" + quoted["value"].replace("\\'", "'"), quoted.end()
        value = re.sub(r'\\([nrt\\"$])', lambda escape: _ESCAPES[escape[1]], quoted["value"])
        return '"' + value, quoted.end()
    newline = text.find("\n", position)
    end = len(text) if newline < 0 else newline
    comment = _COMMENT.search(text, position, end)
    return '"' + text[position : comment.start() if comment else end].rstrip(" \t\r"), end + 1


def _parse_raw(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return {name.strip(): value for name, separator, value in (line.partition("=") for line in lines) if separator}
