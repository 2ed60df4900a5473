# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Compose file as options of conductor_stack, with the file and the line in each error. Pure: the caller reads files.

Scalars are resolved as in YAML 1.2, so that `22:22` and `no` are texts. https://yaml.org/spec/1.2.2/#103-core-schema.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from ...._errors import HostNotCapable, InvalidInput
from ..source import from_compose, variables_of
from .env_file import parse_env_file
from .node import Path

# Aliases multiply the values of a file without limit.
_MOST_VALUES = 100_000
_PREFIX = "tag:yaml.org,2002:"


# Scalars are null, booleans, whole numbers or texts. Texts of numbers keep their form, like 1.10 and 0755.
_RESOLVERS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})", list("-+0123456789")),
    ("merge", "<<", ["<"]),
)
_FORMS = {tag: pattern for tag, pattern, _ in _RESOLVERS}


def _yaml(file: str) -> tuple[Any, Any]:
    """Return the library PyYAML and our loader. Raises HostNotCapable."""
    try:
        # A controller has it, and a managed host needs it only here.
        import yaml
    except ImportError:
        raise HostNotCapable(
            f"{file}: a file in YAML requires PyYAML, which is not installed",
            "install the package python3-yaml, or give a file in JSON whose name ends with .json",
        ) from None

    loader: Any = type("Loader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": {}})
    for tag, pattern, first in _RESOLVERS:
        loader.add_implicit_resolver(_PREFIX + tag, re.compile(rf"(?:{pattern})\Z"), first)
    return yaml, loader


class _Values:
    """Values of the nodes of a YAML document, and the line of each path, from 1."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[Any] = []
        self._count = 0
        self.lines: dict[Path, int] = {}

    def of(self, node: Any, path: Path = ()) -> Any:
        self._count += 1
        self.lines.setdefault(path, node.start_mark.line + 1)
        if self._count > _MOST_VALUES or any(node is other for other in self._open):
            raise self._error(node, "an alias makes the document too large", "write its content in full")
        if node.id == "scalar":
            return self._scalar(node)
        self._open.append(node)
        try:
            if node.tag == f"{_PREFIX}seq":
                return [self.of(part, (*path, index)) for index, part in enumerate(node.value)]
            if node.tag == f"{_PREFIX}map":
                return self._mapping(node, path)
        finally:
            self._open.pop()
        raise self._error(node, f"tag {node.tag} is not supported", "omit it")

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: list[Any] = []
        for key, value in node.value:
            if key.tag == f"{_PREFIX}merge":
                merged += value.value if value.id == "sequence" else [value]
                continue
            name = key.value
            if key.id != "scalar":
                raise self._error(key, "a key is not a string", "write a string")
            if name in own:
                raise self._error(key, f"key {name} is given twice", "omit one of them")
            below = (*path, name)
            self.lines[below] = key.start_mark.line + 1
            own[name] = self.of(value, below)
        for other in merged:
            if other.id != "mapping":
                raise self._error(other, "<< is not a mapping", "give an alias of a mapping")
            # Lines of keys that exist already are kept.
            before = dict(self.lines)
            own = {**self.of(other, path), **own}
            self.lines.update(before)
        return own

    def _scalar(self, node: Any) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        # A tag may be written out, as in `!!int x`.
        if kind in _FORMS and not re.fullmatch(_FORMS[kind], node.value):
            raise self._error(node, f"{node.value!r} is not of the type {kind} of its tag", "omit the tag")
        if kind == "null":
            return None
        if kind == "bool":
            return node.value.lower() == "true"
        if kind == "int":
            return int(node.value)
        if kind in ("str", "merge"):
            return node.value
        raise self._error(node, f"tag {node.tag} is not supported", "omit it")

    def _error(self, node: Any, problem: str, remedy: str) -> InvalidInput:
        return InvalidInput(f"{self._file}:{node.start_mark.line + 1}: {problem}", remedy)

    def place(self, path: Path) -> str:
        """Return the file and the line of `path`, or of the next part above it that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self._file}:{self.lines.get(path, 1)}: "


def load_document(text: str, file: str) -> tuple[Any, Callable[[Path], str]]:
    """Return the value of the YAML `text`, and a function that returns `FILE:LINE: ` for a path in it.

    Raises InvalidInput, HostNotCapable.
    """
    yaml, loader = _yaml(file)
    values = _Values(file)
    try:
        root = yaml.compose(text, loader)
        return None if root is None else values.of(root), values.place
    except RecursionError:
        raise InvalidInput(f"{file}:1: values are nested too deeply", "correct the file") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InvalidInput(f"{file}:{line}: invalid YAML: {error.reason}", "correct the file") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise InvalidInput(
            f"{file}:{line}: invalid YAML: {getattr(error, 'problem', None) or error}", "correct the file"
        ) from None


def read_compose_file(
    path: str, shown: str, params: Mapping[str, Any], read: Callable[[str], str | None]
) -> tuple[dict[str, Any], list[str]]:
    """Return `params` of conductor_stack with the containers of the Compose file `path`, and warnings.

    `shown`: the name of the file for messages. `read` returns the text of a file, or None if it does not exist. Raises
    InvalidInput, HostNotCapable.
    """
    document, place = load_document(read(path) or "", shown)
    return with_compose_document(document, path, shown, params, read, place)


def with_compose_document(
    document: object,
    path: str,
    shown: str,
    params: Mapping[str, Any],
    read: Callable[[str], str | None],
    place: Callable[[Path], str],
) -> tuple[dict[str, Any], list[str]]:
    """Do the same with the `document` that has been read from `path`. `place`: see `load_document`."""
    directory = os.path.dirname(os.path.abspath(path))
    unset: set[str] = set()
    try:
        own = parse_env_file(read(os.path.join(directory, ".env")) or "", variables_of(params), unset)
    except InvalidInput as error:
        raise InvalidInput(f"{os.path.join(os.path.dirname(shown), '.env')}: {error.message}", error.hint) from None
    return from_compose(
        document,
        params,
        own,
        params.get("project_directory") or directory,
        lambda name: read(os.path.join(directory, name)),
        place,
    )
