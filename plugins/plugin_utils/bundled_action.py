# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin for modules that run from the bundle on the managed host. Sends the bundle if it is missing there."""

from __future__ import annotations

import os
import shlex
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.conductor.containers.plugins.plugin_utils.run_cache import agent_paths


class BundledAction(ActionBase):
    """Runs the module `MODULE` with the task's arguments.

    Usually the host has the bundle, so the module runs at once. If the bundle is missing, the module reports that
    before it does anything else. It then runs again with a zip file of the bundle, which it installs; in check mode it
    runs from the zip file instead.
    """

    MODULE = ""
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict:
        result = super().run(tmp, task_vars)
        is_async = bool(self._task.async_val) and not self._connection.has_native_async
        arguments = dict(self._task.args)
        # An item of a role: all options at once, without a line for each that it may have.
        options = arguments.pop("_options", {})
        if not isinstance(options, dict):
            raise AnsibleActionFail(f"_options: not a dictionary of options of {self.MODULE}. Correct the item.")
        arguments.update(options)
        try:
            if is_async:
                arguments.update(self._prepare_bundle(task_vars))
            answer = self.execute(arguments, task_vars, is_async)
        finally:
            # The background process deletes the directory itself.
            if not is_async:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        result.update(answer)
        return result

    def execute(self, arguments: dict, task_vars: dict | None, is_async: bool = False) -> dict:
        """Run the module with `arguments`; return its result."""
        arguments["_bundle"] = os.path.basename(agent_paths()[0])
        answer = self._execute(arguments, task_vars, is_async)
        if not answer.get("bundle_missing"):
            return answer
        answer = self._execute({**arguments, "_bundle_file": self._send_bundle()}, task_vars, is_async)
        answer.pop("bundle_missing", None)
        return answer

    def _execute(self, arguments: dict, task_vars: dict | None, is_async: bool) -> dict[str, Any]:
        return self._execute_module(
            module_name=self.MODULE, module_args=arguments, task_vars=task_vars, wrap_async=is_async
        )

    def _send_bundle(self) -> str:
        """Copy the bundle's zip file to the task's temporary directory on the host; return its path."""
        from ansible_collections.conductor.containers.plugins.module_utils._engine.bundle import pack

        bundle, data = pack()
        local = os.path.join(C.DEFAULT_LOCAL_TMP, f"conductor-{bundle}.{os.getpid()}.zip")
        with open(local, "wb") as file:
            file.write(data)
        try:
            shell = self._connection._shell
            if not shell.tmpdir:
                self._make_tmp_path()
            there = shell.join_path(shell.tmpdir, "bundle.zip")
            self._transfer_file(local, there)
        finally:
            os.unlink(local)
        self._fixup_perms2((shell.tmpdir, there))
        return there

    def _prepare_bundle(self, task_vars: dict | None) -> dict[str, str]:
        """Send the bundle before an asynchronous task, whose module cannot request it later, and install it.

        In check mode nothing is installed. Return the arguments by which the module runs from the zip file then.
        """
        directory = shlex.quote(agent_paths()[0])
        if self._low_level_execute_command(f"test -d {directory}")["rc"] == 0:
            return {}
        file = {"_bundle_file": self._send_bundle()}
        if self._task.check_mode:
            return file
        answer = self._execute_module(
            module_name="conductor.containers.conductor_image_info",
            module_args={"_bundle": os.path.basename(agent_paths()[0]), **file},
            task_vars=task_vars,
        )
        if answer.get("failed"):
            raise AnsibleActionFail(str(answer.get("msg")))
        return {}
