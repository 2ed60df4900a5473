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
    and C(import_role) with a name that is not a template.
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
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.playbook.role.definition import RoleDefinition
from ansible.plugins.lookup import LookupBase

_INCLUDES = ("include_role", "import_role", "ansible.builtin.include_role", "ansible.builtin.import_role")


class LookupModule(LookupBase):
    """One digest; see the documentation."""

    def run(self, terms, variables=None, **kwargs):
        self.set_options(var_options=variables, direct=kwargs)
        digest = hashlib.sha256()
        for value in terms:
            _add(digest, "value", json.dumps(value, sort_keys=True, default=str))
        directory = (variables or {}).get("playbook_dir", self._loader.get_basedir())
        for path in self.get_option("files"):
            self._add_tree(digest, path, os.path.join(directory, path))
        seen: dict[str, str] = {}
        for role in self.get_option("roles"):
            self._find(role, None, seen)
        for path, role in seen.items():
            self._add_tree(digest, role, path)
        return [f"sha256:{digest.hexdigest()}"]

    def _find(self, role: str, collection: str | None, seen: dict[str, str]) -> None:
        """Add the role and its dependencies to `seen` (path: name). Raises AnsibleLookupError."""
        definition = RoleDefinition(loader=self._loader, collection_list=[collection] if collection else None)
        try:
            # Use the resolution of the play, so that the digest is that of the role that is applied.
            name = definition.preprocess_data(role)["role"]
        except AnsibleError as error:
            raise AnsibleLookupError(f"roles: role {role!r} was not found: {error}") from None
        path = definition.get_role_path()
        if path in seen:
            return
        seen[path] = name
        for part in self._texts(path):
            for other in _roles_in(part):
                if "{{" not in other:
                    self._find(other, definition._role_collection, seen)

    def _texts(self, role_path: str) -> Iterator[Any]:
        """Yield the role's YAML files that can refer to other roles."""
        for directory in ("meta", "tasks", "handlers"):
            for path in _files(os.path.join(role_path, directory)):
                if path.endswith((".yml", ".yaml")):
                    try:
                        yield self._loader.load_from_file(path)
                    except AnsibleError as error:
                        raise AnsibleLookupError(f"roles: {path} cannot be read: {error}") from None

    def _add_tree(self, digest: Any, name: str, top: str) -> None:
        if not os.path.lexists(top):
            raise AnsibleLookupError(f"files: {top} does not exist on the controller")
        for path in _files(top) if os.path.isdir(top) else [top]:
            _add(digest, "file", name, os.path.relpath(path, top))
            if os.path.islink(path):
                _add(digest, "link", os.readlink(path))
                continue
            with open(path, "rb") as file:
                _add(digest, "x" if os.stat(path).st_mode & 0o100 else "-", file.read())


def _files(top: str) -> list[str]:
    """Return the files and symlinks below `top`, sorted, without __pycache__ and .git."""
    found = []
    for directory, directories, names in os.walk(top):
        directories[:] = sorted(set(directories) - {"__pycache__", ".git"})
        links = [name for name in directories if os.path.islink(os.path.join(directory, name))]
        found += [os.path.join(directory, name) for name in sorted([*names, *links])]
    return found


def _roles_in(value: Any) -> Iterator[str]:
    """Yield the names of roles in a file of a role: dependencies, and roles that tasks include or import."""
    if isinstance(value, list):
        for item in value:
            yield from _roles_in(item)
    elif isinstance(value, dict):
        for dependency in value.get("dependencies") or []:
            name = dependency if isinstance(dependency, str) else dependency.get("role") or dependency.get("name")
            yield from [name] if name else []
        for key in _INCLUDES:
            included = value.get(key)
            name = included.get("name") or included.get("role") if isinstance(included, dict) else None
            yield from [name] if name else []
        for key in ("block", "rescue", "always"):
            yield from _roles_in(value.get(key))


def _add(digest: Any, *parts: str | bytes) -> None:
    """Add each part with its length, so that different lists of parts are different bytes."""
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode(errors="surrogateescape")
        digest.update(b"%d:" % len(data) + data)
