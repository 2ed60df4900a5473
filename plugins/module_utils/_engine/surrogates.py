# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Surrogates in texts: "\ud800" of JSON and YAML, and what Python makes of bytes that are not UTF-8 (PEP 383). Pure.

No file and no program can be given the former. Ansible ends with a traceback where it logs a parameter with one, and
refuses the whole result of a module with one (since ansible-core 2.19, MODULE_STRICT_UTF8_RESPONSE).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HALF = r"has half of a character (a surrogate such as \ud800)"
_SURROGATE = re.compile("[\ud800-\udfff]")


def find_surrogate(value: Any, path: str = "") -> str | None:
    """Return the path, like containers.web.command[0], of the first text in `value` with a surrogate, or None."""
    if isinstance(value, str):
        return path if _SURROGATE.search(value) else None
    if isinstance(value, Mapping):
        if any(find_surrogate(key) is not None for key in value):
            return path or "a key"
        parts = [(f"{path}.{key}" if path else str(key), part) for key, part in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [(f"{path}[{number}]", part) for number, part in enumerate(value)]
    else:
        return None
    return next((found for where, part in parts if (found := find_surrogate(part, where)) is not None), None)


def without_surrogates(value: Any) -> Any:
    """Return `value` with U+FFFD for each surrogate, as for bytes that are not UTF-8."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {without_surrogates(key): without_surrogates(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_surrogates(part) for part in value]
    return value
