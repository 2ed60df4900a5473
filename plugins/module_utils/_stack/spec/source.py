# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of a stack from one of the options containers, definition and src. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..._errors import InvalidInput
from .request import SOURCES

if TYPE_CHECKING:
    from .compose.node import Path


def require_one_source(params: Mapping[str, Any]) -> None:
    """Raise InvalidInput if more than one of the options in SOURCES is given."""
    given = [name for name in SOURCES if params.get(name)]
    if len(given) > 1:
        raise InvalidInput(f"{' and '.join(given)} are mutually exclusive", f"omit {' or '.join(given)}")


def with_containers(params: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the module's `params` with the containers of `definition`, and warnings. Raises InvalidInput."""
    require_one_source(params)
    if params.get("src") is not None:
        raise InvalidInput(
            "src: a file of the controller, which only a task of a playbook or ad hoc can read", "use definition"
        )
    if params.get("definition") is None:
        return dict(params), []
    return from_compose(params["definition"], params, {}, params.get("project_directory"))


def from_compose(
    definition: object,
    params: Mapping[str, Any],
    variables: Mapping[str, str],
    directory: str | None,
    read_file: Callable[[str], str | None] | None = None,
    place: Callable[[Path], str] = lambda path: "",
) -> tuple[dict[str, Any], list[str]]:
    """Return `params` with the containers, images and defaults of a Compose document, and warnings.

    `variables`: those that the option environment may override. Others: see `parse_compose`. Raises InvalidInput.
    """
    # It costs time, and only a task with a document needs it.
    from .compose.document import parse_compose

    composed = parse_compose(
        definition,
        str(params["name"]),
        variables={**variables, **variables_of(params)},
        directory=directory,
        read_file=read_file,
        defaults=params.get("defaults"),
        place=place,
    )
    options = {**composed.options, "images": [*(params.get("images") or ()), *composed.options["images"]]}
    return {**params, **options}, composed.warnings


def variables_of(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the option environment. Raises InvalidInput."""
    found = {}
    for name, value in (params.get("environment") or {}).items():
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise InvalidInput(f"environment: the value of {name} is not a string", "quote it")
        found[str(name)] = str(value)
    return found
