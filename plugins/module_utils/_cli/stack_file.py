# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of `conductor up`: a Compose file, or options of conductor_stack, in YAML or JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .._engine.convert_options import convert_options
from .._engine.surrogates import HALF, find_surrogate
from .._errors import ConductorError, InvalidInput, NotFound
from .._stack.spec.compose.file import load_document, with_compose_document
from .._stack.spec.compose.node import Path
from .._stack.spec.request import MODULE_OPTIONS
from .hints import replace_words

# `up` is state=started, and the file itself is the source.
_OPTIONS = {name: option for name, option in MODULE_OPTIONS.items() if name not in ("state", "src")}
# The verb has no option environment.
_VARIABLES = {"set it in environment": "set it in .env, beside the Compose file"}
# Debian's libraries, which python3 -S leaves out (Debian Python Policy, 2.5).
_DIST_PACKAGES = "/usr/lib/python3/dist-packages"


def read_stack_file(path: str, name: str | None) -> tuple[dict[str, Any], list[str]]:
    """Return the options of conductor_stack in the file `path`, and warnings.

    `name` of the stack takes precedence over the one in the file. Raises NotFound, InvalidInput, HostNotCapable.
    """
    text = _read(path)
    if text is None:
        raise NotFound(f"file {path} does not exist", "give the path of a Compose file or of a stack's options")
    document, place = _load(text, path)
    wrong = find_surrogate(document)
    if wrong is not None:
        raise InvalidInput(f"{path}: {wrong} {HALF}", "correct the text")
    if not isinstance(document, Mapping):
        raise InvalidInput(f"{path}: not a mapping", "give a mapping with the key services or containers")
    given = document.get("name") if name is None else name
    if given is None:
        raise InvalidInput(f"{path}: the stack has no name", "set name in the file, or give --name")
    if "services" not in document:
        return {**convert_options(_OPTIONS, {**document, "name": given}, path), "state": "started"}, []
    params = convert_options(_OPTIONS, {"name": given}, path)
    try:
        found, warnings = with_compose_document(document, path, path, params, _read, place)
    except ConductorError as error:
        error.message, error.hint = (replace_words(text, _VARIABLES) for text in (error.message, error.hint))
        raise
    return {**found, "definition": None, "state": "started"}, [replace_words(text, _VARIABLES) for text in warnings]


def _load(text: str, path: str) -> tuple[Any, Callable[[Path], str]]:
    """Return the value of the file and a function that returns the file, with the line if known, for a path in it."""
    if not path.endswith(".json"):
        sys.path.append(_DIST_PACKAGES)
        return load_document(text, path)
    try:
        return json.loads(text), lambda _path: f"{path}: "
    except RecursionError:
        raise InvalidInput(f"{path}: values are nested too deeply", "correct the file") from None
    except ValueError as error:
        raise InvalidInput(f"{path}: invalid JSON: {error}", "correct the file") from None


def _read(path: str) -> str | None:
    """Return the text of a file, or None if it is not a file. Raises InvalidInput, OSError."""
    if not os.path.isfile(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: not a text in UTF-8", "give a text file") from None
