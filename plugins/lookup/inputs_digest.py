# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: inputs_digest
short_description: Digest of roles, files and values
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Calculates one digest of the content of roles, files and values on the controller. It changes if one of them
    changes, and is the same on every controller.
  - A role includes all its files, and those of the roles that it depends on, by C(meta/main.yml) or by C(include_role)
    and C(import_role) with a name that is not a template. An included role that is not installed counts by its name.
  - Of a symlink, its target and the content behind it count.
  - The digest ignores times, owners and modes, except the execute permission.
options:
  _terms:
    description: Values of any kind.
    type: list
    elements: raw
  roles:
    description: Names or paths of roles. Names are resolved as in the play.
    type: list
    elements: str
    default: []
  files:
    description: Files and directories. Relative paths are relative to the directory of the playbook.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the digest
  ansible.builtin.debug:
    msg: "{{ lookup('conductor.containers.inputs_digest', nginx_version, roles=['nginx'], files=['site.conf']) }}"
  vars:
    nginx_version: "1.26"
"""

RETURN = r"""
_raw:
  description: V(sha256:) and 64 hexadecimal digits.
  type: list
  elements: str
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.parsing.splitter import parse_kv
from ansible.playbook.role.definition import RoleDefinition
from ansible.playbook.role.requirement import RoleRequirement
from ansible.plugins.lookup import LookupBase

_COLLECTIONS = ("", "ansible.builtin.", "ansible.legacy.")
_IMPORTS = tuple(f"{name}import_role" for name in _COLLECTIONS)
_INCLUDES = tuple(f"{name}include_role" for name in _COLLECTIONS)
_IGNORED = ("__pycache__", ".git")


class _Reference(NamedTuple):
    """A role that a file of another role names."""

    name: str
    is_dependency: bool = False
    # False: it is looked up when the task runs, if it runs at all.
    is_required: bool = True


class LookupModule(LookupBase):
    """One digest; see the documentation."""

    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        digest = hashlib.sha256()
        for value in terms:
            _add(digest, "value", json.dumps(_sorted(value), default=str))
        directory = (variables or {}).get("playbook_dir", self._loader.get_basedir())
        seen: dict[str, str] = {}
        try:
            for path in self.get_option("files"):
                _add_tree(digest, path, os.path.join(directory, path))
            for role in self.get_option("roles"):
                self._find(_Reference(role), RoleDefinition(loader=self._loader), seen)
            for path, name in seen.items():
                _add_tree(digest, name, path)
        except OSError as error:
            raise AnsibleLookupError(f"{error.filename} cannot be read: {error.strerror}") from None
        return [f"sha256:{digest.hexdigest()}"]

    def _find(self, role: _Reference, definition: RoleDefinition, seen: dict[str, str]) -> None:
        """Add the role and its dependencies to `seen` (path: name). Raises AnsibleLookupError.

        `definition` resolves its name as the play does, so that the digest is that of the role that is applied.
        """
        try:
            name = definition.preprocess_data(role.name)["role"]
        # ValueError: the name contains a NUL.
        except (AnsibleError, ValueError) as error:
            if not role.is_required:
                return
            raise AnsibleLookupError(f"roles: role {role.name!r} was not found: {error}") from None
        path = definition.get_role_path()
        if path in seen:
            return
        seen[path] = name
        for other in self._references(path):
            if "{{" in other.name:
                continue
            self._find(
                other._replace(is_required=other.is_required and role.is_required),
                RoleDefinition(
                    loader=self._loader,
                    # Only dependencies are also looked up next to the role.
                    role_basedir=os.path.dirname(path) if other.is_dependency else None,
                    collection_list=[definition._role_collection] if definition._role_collection else None,
                ),
                seen,
            )

    def _references(self, role_path: str) -> Iterator[_Reference]:
        """Yield the roles that the role's YAML files name."""
        for directory in ("meta", "tasks", "handlers"):
            for path in _files(os.path.join(role_path, directory), set()):
                if path.endswith((".yml", ".yaml")) and os.path.isfile(path):
                    try:
                        yield from _roles_in(self._loader.load_from_file(path))
                    # Escapes in arguments of a task can be invalid, and YAML can contain itself.
                    except (AnsibleError, UnicodeError, RecursionError) as error:
                        raise AnsibleLookupError(f"roles: {path} cannot be read: {error}") from None


def _sorted(value: Any) -> Any:
    """Return `value` with all sets and keys of dictionaries in the order of their texts."""
    if isinstance(value, Mapping):
        pairs = sorted(value.items(), key=lambda pair: str(pair[0]))
        # JSON knows no other keys, such as dates.
        return {key if isinstance(key, (str, int, float, type(None))) else str(key): _sorted(own) for key, own in pairs}
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return [_sorted(part) for part in value] if isinstance(value, (list, tuple)) else value


def _add_tree(digest: Any, name: str, top: str) -> None:
    if not os.path.lexists(top):
        raise AnsibleLookupError(f"files: {top} does not exist on the controller")
    for path in _files(top, set()):
        _add(digest, "file", name, os.path.relpath(path, top))
        if os.path.islink(path):
            _add(digest, "link", os.readlink(path))
        if os.path.isfile(path):
            with open(path, "rb") as file:
                _add(digest, "x" if os.stat(path).st_mode & 0o100 else "-", file.read())


def _files(path: str, seen: set[str]) -> Iterator[str]:
    """Yield each file and symlink at and below `path` and behind symlinks, sorted, without __pycache__ and .git.

    `seen`: real paths of directories. Each of them is entered once, since symlinks can lead in circles.
    """
    if os.path.islink(path) or not os.path.isdir(path):
        yield path
    real = os.path.realpath(path)
    if os.path.isdir(path) and real not in seen:
        seen.add(real)
        for name in sorted(set(os.listdir(path)).difference(_IGNORED)):
            yield from _files(os.path.join(path, name), seen)


def _roles_in(value: Any) -> Iterator[_Reference]:
    """Yield the roles that a file of a role names: dependencies, and those of tasks. Raises AnsibleError."""
    if isinstance(value, list):
        for item in value:
            yield from _roles_in(item)
    elif isinstance(value, dict):
        dependencies = value.get("dependencies") or []
        if not isinstance(dependencies, list):
            raise AnsibleError(f"dependencies: {dependencies!r} is invalid; expected a list of roles")
        for dependency in dependencies:
            yield _Reference(_dependency_name(dependency), is_dependency=True)
        for action, arguments in _role_actions(value):
            name = arguments.get("name") or arguments.get("role")
            yield from [_Reference(str(name), is_required=action in _IMPORTS)] if name else []
        for key in ("block", "rescue", "always"):
            yield from _roles_in(value.get(key))


def _dependency_name(dependency: Any) -> str:
    """Return the name of a role that another role depends on. Raises AnsibleError."""
    given = {"name": dependency} if isinstance(dependency, str) else dependency if isinstance(dependency, dict) else {}
    name, source = given.get("role") or given.get("name"), given.get("src")
    if not name and isinstance(source, str):
        name = RoleRequirement.role_yaml_parse({"src": source})["name"]
    if not name:
        raise AnsibleError(
            f"dependencies: {dependency!r} is no role; expected a name, or a dictionary with role, name or src"
        )
    return str(name)


def _role_actions(task: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the action of a task that includes or imports a role, with its arguments. Raises AnsibleError."""
    for key, value in task.items():
        action, given = key, value
        if key in ("action", "local_action") and isinstance(value, str):
            action, _, given = value.partition(" ")
        elif key in ("action", "local_action") and isinstance(value, dict):
            action = value.get("module", "")
        if action in (*_IMPORTS, *_INCLUDES):
            parts = (task.get("args"), parse_kv(given) if isinstance(given, str) else given)
            yield action, {name: part[name] for part in parts if isinstance(part, dict) for name in part}


def _add(digest: Any, *parts: str | bytes) -> None:
    """Add each part with its length, so that different lists of parts are different bytes."""
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode(errors="surrogateescape")
        digest.update(b"%d:" % len(data) + data)
