# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_copy on the controller: has a file of its own, or a text, be a file of the managed host for the module."""

from __future__ import annotations

import json
import os
import stat
import tempfile

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

_MODULE = "conductor.containers.conductor_copy"


class ActionModule(ActionBase):
    """Without O(remote_src) the file is put into the task's temporary directory there, which is removed afterwards."""

    TRANSFERS_FILES = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        try:
            if self._is_here(arguments):
                answer = self._copy(arguments, task_vars)
            else:
                answer = self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        result.update(answer)
        if not self._task.diff:
            result.pop("diff", None)
        return result

    @staticmethod
    def _is_here(arguments: dict) -> bool:
        """Whether what is to be copied is on the controller. What makes no sense is for the module to tell."""
        if arguments.get("direction", "in") != "in" or (arguments.get("content") is None) == (
            arguments.get("src") is None
        ):
            return False
        return arguments.get("content") is not None or not boolean(arguments.get("remote_src", False), strict=False)

    def _copy(self, arguments: dict, task_vars: dict | None) -> dict:
        content, given = arguments.pop("content", None), arguments.get("src")
        written = None
        try:
            if content is not None:
                local = written = _write(content)
                if arguments.get("mode") is None:
                    arguments["mode"] = "0644"
            else:
                local = self._find(given)
            return self._transfer(arguments, local, given, task_vars)
        finally:
            if written:
                os.unlink(written)

    def _find(self, src: str) -> str:
        try:
            found = self._find_needle("files", src)
        except AnsibleError as error:
            raise AnsibleActionFail(f"src {src} is not on the controller: {to_text(error)}") from error
        if not os.path.isfile(found):
            raise AnsibleActionFail(f"src {src} is not a file on the controller: only files are copied, one at a time")
        return found

    def _transfer(self, arguments: dict, local: str, given: str | None, task_vars: dict | None) -> dict:
        dest = str(arguments.get("dest") or "")
        if dest.endswith("/"):
            if given is None:
                raise AnsibleActionFail(
                    f"dest {dest!r} is a directory, and content has no name: give dest the file's name"
                )
            arguments["dest"] = dest + os.path.basename(given)
        if arguments.get("mode") is None:
            # Setuid and the like only where they are asked for.
            arguments["mode"] = f"{stat.S_IMODE(os.stat(local).st_mode) & 0o777:04o}"
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        there = self._connection._shell.join_path(self._connection._shell.tmpdir, ".source")
        # What the vault encrypted is copied decrypted, as by ansible.builtin.copy.
        real = self._loader.get_real_file(local)
        try:
            self._transfer_file(real, there)
        finally:
            self._loader.cleanup_tmp_file(real)
        self._fixup_perms2((self._connection._shell.tmpdir, there))
        arguments.update(src=there, remote_src=True)
        answer = self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars)
        return _named(answer, there, given)


def _write(content: object) -> str:
    """The path of a new temporary file with that text; JSON where a template made a structure of it."""
    text = content if isinstance(content, str) else json.dumps(content)
    fd, path = tempfile.mkstemp(prefix="conductor-copy-")
    with open(fd, "wb") as file:
        file.write(to_bytes(text, errors="surrogate_or_strict"))
    return path


def _named(answer: dict, there: str, given: str | None) -> dict:
    """The module's answer with the file named as the task did, not as the temporary one."""
    shown = given or "content"
    if "src" in answer:
        answer["src"] = given
    if "msg" in answer:
        answer["msg"] = str(answer["msg"]).replace(there, shown)
    answer["actions"] = [str(action).replace(there, shown) for action in answer.get("actions", [])]
    for diff in answer.get("diff") or []:
        if diff.get("after_header") == there:
            diff["after_header"] = shown
    return answer
