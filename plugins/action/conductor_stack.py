# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of conductor_stack: reads a Compose file on the controller, and runs the module on the managed host."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput, printable
from ansible_collections.conductor.containers.plugins.plugin_utils.bundled_action import BundledAction

# Options of the module that are read together with the file.
_OPTIONS = {
    "name": {"type": "str", "required": True},
    "src": {"type": "path"},
    "containers": {"type": "dict"},
    "definition": {"type": "dict"},
    "environment": {"type": "dict"},
    "project_directory": {"type": "str"},
    "defaults": {"type": "dict"},
    "images": {"type": "list", "elements": "dict"},
}


class ActionModule(BundledAction):
    MODULE = "conductor.containers.conductor_stack"

    def execute(self, arguments: dict, task_vars: dict | None, is_async: bool = False) -> dict:
        if arguments.get("src") is None:
            return super().execute(arguments, task_vars, is_async)
        arguments, warnings = self._with_file(arguments)
        for warning in warnings:
            self._display.warning(warning)
        return super().execute(arguments, task_vars, is_async)

    def _with_file(self, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the arguments with the containers of the file `src` instead of it, and warnings."""
        # They cost time, and only a task with src needs them.
        from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.file import (
            read_compose_file,
        )
        from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.source import require_one_source

        own = {name: value for name, value in arguments.items() if name in _OPTIONS}
        checked = ArgumentSpecValidator(_OPTIONS).validate(own)
        if checked.error_messages:
            raise AnsibleActionFail("; ".join(checked.error_messages))
        params = {name: value for name, value in checked.validated_parameters.items() if value is not None}
        try:
            require_one_source(params)
            found, warnings = read_compose_file(self._find(params["src"]), params["src"], params, self._read)
        except InvalidInput as error:
            raise AnsibleActionFail(printable(str(error), keep="\n")) from None
        for name in ("src", "environment", "project_directory"):
            found.pop(name, None)
        rest = {name: value for name, value in arguments.items() if name not in _OPTIONS}
        return {**rest, **found}, warnings

    def _find(self, src: str) -> str:
        try:
            found = self._find_needle("files", src)
        except AnsibleError as error:
            raise AnsibleActionFail(f"src {src} does not exist on the controller: {to_text(error)}") from error
        if not os.path.isfile(found):
            raise AnsibleActionFail(f"src {src} is not a file on the controller. Give the path of a Compose file.")
        return found

    def _read(self, path: str) -> str | None:
        """Return the text of a file of the controller, decrypted if necessary, or None if it is not a file."""
        if not os.path.isfile(path):
            return None
        # Decrypts files of Ansible Vault, as ansible.builtin.copy does.
        real = self._loader.get_real_file(path)
        try:
            with open(real, encoding="utf-8") as file:
                return file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise AnsibleActionFail(f"src: {path} cannot be read: {error}. Give a text file in UTF-8.") from error
        finally:
            self._loader.cleanup_tmp_file(real)
