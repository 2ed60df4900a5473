# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declaration of an option: once, for the module, the roles, the documentation, container.json and the plan.

script/generate writes what has to be a file of its own: argument_spec and documentation of modules, and argument
specs of roles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from .typed_values import Kind

# When a change of an option takes effect: while the container runs, when it starts the next time, or only with a new
# root file system.
LIVE, RESTART, RECREATE = "live", "restart", "recreate"


@dataclass(frozen=True)
class Option:
    """An option as users write it: Ansible's argument_spec and the documentation, one sentence a fact."""

    type: str
    description: tuple[str, ...]
    elements: str = ""
    choices: tuple[str, ...] = ()
    default: object = None
    required: bool = False
    no_log: bool = False
    suboptions: Mapping[str, Option] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """A field of a spec: its parser, which raises InvalidInput, its type in our JSON file, and when it takes effect.

    `option` is None if several fields are one option, which is declared beside them.
    """

    kind: Kind
    applies: str
    parse: Callable[[Any, str], object] | None = None
    option: Option | None = None


def stored(
    default: Any = MISSING,
    *,
    kind: Kind,
    applies: str = RESTART,
    parse: Callable[[Any, str], object] | None = None,
    option: Option | None = None,
) -> Any:
    """Field of a spec's dataclass with its declaration."""
    return field(default=default, metadata={"stored": Stored(kind, applies, parse, option)})


def stored_fields(spec: type) -> dict[str, Stored]:
    """Declarations of the fields of a spec's dataclass by name, in their order."""
    return {found.name: found.metadata["stored"] for found in fields(spec)}


def argument_spec(options: Mapping[str, Option]) -> dict[str, dict[str, Any]]:
    """Ansible's argument_spec of `options`."""
    return {name: _argument(option) for name, option in options.items()}


def _argument(option: Option) -> dict[str, Any]:
    found: dict[str, Any] = {"type": option.type}
    for name in ("elements", "required", "default", "no_log"):
        if getattr(option, name) not in ("", False, None) or (name == "default" and option.default is False):
            found[name] = getattr(option, name)
    if option.choices:
        found["choices"] = list(option.choices)
    if option.suboptions:
        found["options"] = argument_spec(option.suboptions)
    return found
