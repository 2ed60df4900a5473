# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of conductor_copy: sends files of the controller, or a text, to the managed host for the module."""

from __future__ import annotations

import json
import os
import shlex
import stat
import tarfile
import tempfile
from typing import BinaryIO

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.conductor.containers.plugins.module_utils._errors import one_line
from ansible_collections.conductor.containers.plugins.plugin_utils.bundled_action import BundledAction


class ActionModule(BundledAction):
    """Without O(remote_src), copies the source to the task's temporary directory on the host, removed afterward."""

    MODULE = "conductor.containers.conductor_copy"
    TRANSFERS_FILES = True
    _supports_async = False
    # Directory on the host into which a source was unpacked.
    _unpacked = ""

    def execute(self, arguments: dict, task_vars: dict | None, is_async: bool = False) -> dict:
        run = self._copy if self._is_here(arguments) else super().execute
        answer = run(arguments, task_vars)
        if not self._task.diff:
            answer.pop("diff", None)
        return answer

    @staticmethod
    def _is_here(arguments: dict) -> bool:
        """Return whether the source is on the controller. The module reports invalid arguments."""
        if arguments.get("direction", "in") != "in" or (arguments.get("content") is None) == (
            arguments.get("src") is None
        ):
            return False
        return arguments.get("content") is not None or not boolean(arguments.get("remote_src", False), strict=False)

    def _copy(self, arguments: dict, task_vars: dict | None) -> dict:
        content, given = arguments.pop("content", None), arguments.get("src")
        written = None
        try:
            if given is not None:
                local = self._find(given)
            else:
                local = written = _write(content)
                if arguments.get("mode") is None:
                    arguments["mode"] = "0644"
            if not self._connection._shell.tmpdir:
                self._make_tmp_path()
            if given is not None and os.path.isdir(local):
                there = self._transfer_directory(arguments, local, given)
            else:
                there = self._transfer_one(arguments, local, given)
            arguments["remote_src"] = True
            answer = super().execute(arguments, task_vars)
            return _named(answer, there, given)
        finally:
            if written:
                os.unlink(written)
            # Belongs to the user that the task becomes. Ansible removes its directory as the login user, who may not.
            if self._unpacked and self._connection.become:
                self._low_level_execute_command(f"rm -rf {shlex.quote(self._unpacked)}")

    def _find(self, src: str) -> str:
        try:
            found = self._find_needle("files", src)
        except AnsibleError as error:
            raise AnsibleActionFail(f"src {src} does not exist on the controller: {to_text(error)}") from error
        if not os.path.isfile(found) and not os.path.isdir(found):
            raise AnsibleActionFail(f"src {src} is neither a file nor a directory on the controller")
        return found

    def _transfer_directory(self, arguments: dict, local: str, given: str) -> str:
        """Copy the directory to the host in one tar archive, to save a round trip per file; return its path."""
        shell = self._connection._shell
        source = shell.join_path(shell.tmpdir, ".source")
        archive = f"{source}.tar"
        fd, packed = tempfile.mkstemp(prefix="conductor-copy-")
        try:
            with open(fd, "wb") as file:
                self._pack(file, local, given)
            self._transfer_file(packed, archive)
        finally:
            os.unlink(packed)
        self._fixup_perms2((shell.tmpdir, archive))
        self._unpacked = source
        source, archive = shlex.quote(source), shlex.quote(archive)
        command = f"mkdir {source} && tar -xpf {archive} --no-same-owner -C {source} && rm {archive}"
        done = self._low_level_execute_command(command)
        if done["rc"]:
            raise AnsibleActionFail(f"src {given}: cannot unpack it on the managed host: {one_line(done['stderr'])}")
        there = shell.join_path(shell.tmpdir, ".source", _name(local))
        arguments["src"] = there + ("/" if given.endswith("/") else "")
        return there

    def _pack(self, file: BinaryIO, top: str, given: str) -> None:
        """Write a tar archive of a directory to `file`, with symlinks as they are and without owners."""
        # In this format, names are bytes and have no encoding.
        with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
            waiting = [top]
            while waiting:
                path = waiting.pop()
                below = os.path.relpath(path, top)
                status = os.lstat(path) if path != top else os.stat(path)
                entry = tarfile.TarInfo(os.path.normpath(os.path.join(_name(top), below)))
                entry.mode = stat.S_IMODE(status.st_mode) & 0o777
                if stat.S_ISDIR(status.st_mode):
                    entry.type = tarfile.DIRTYPE
                    archive.addfile(entry)
                    waiting += [os.path.join(path, name) for name in os.listdir(path)]
                elif stat.S_ISLNK(status.st_mode):
                    entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(path)
                    archive.addfile(entry)
                elif stat.S_ISREG(status.st_mode):
                    self._pack_file(archive, entry, path)
                else:
                    shown = os.path.join(given, below)
                    raise AnsibleActionFail(
                        f"src {shown} on the controller is not a regular file, directory or symlink. Remove it."
                    )

    def _pack_file(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: str) -> None:
        # Decrypts files of Ansible Vault, as ansible.builtin.copy does.
        real = self._loader.get_real_file(path)
        try:
            with open(real, "rb") as content:
                entry.size = os.fstat(content.fileno()).st_size
                archive.addfile(entry, content)
        finally:
            self._loader.cleanup_tmp_file(real)

    def _transfer_one(self, arguments: dict, local: str, given: str | None) -> str:
        """Copy the file to the host; return its path there."""
        dest = str(arguments.get("dest") or "")
        if dest.endswith("/"):
            if given is None:
                raise AnsibleActionFail(
                    f"dest {dest!r} is a directory, but content has no file name. Add the name of the file to dest."
                )
            arguments["dest"] = dest + os.path.basename(given)
        if arguments.get("mode") is None:
            # Setuid, setgid and sticky bits are copied only if mode has them.
            arguments["mode"] = f"{stat.S_IMODE(os.stat(local).st_mode) & 0o777:04o}"
        there = self._connection._shell.join_path(self._connection._shell.tmpdir, ".source")
        # Decrypts files of Ansible Vault, as ansible.builtin.copy does.
        real = self._loader.get_real_file(local)
        try:
            self._transfer_file(real, there)
        finally:
            self._loader.cleanup_tmp_file(real)
        self._fixup_perms2((self._connection._shell.tmpdir, there))
        arguments["src"] = there
        return there


def _write(content: object) -> str:
    """Write `content` to a temporary file, as JSON if a template made a data structure of it; return its path."""
    text = content if isinstance(content, str) else json.dumps(content)
    fd, path = tempfile.mkstemp(prefix="conductor-copy-")
    with open(fd, "wb") as file:
        file.write(to_bytes(text, errors="surrogate_or_strict"))
    return path


def _name(directory: str) -> str:
    """Return the name of a directory, which its copy gets, too."""
    return os.path.basename(os.path.abspath(directory)) or "root"


def _named(answer: dict, there: str, given: str | None) -> dict:
    """Return the module's result with the task's name of the source instead of the temporary path."""
    shown = given.rstrip("/") if given else "content"
    if "src" in answer:
        answer["src"] = given
    if "msg" in answer:
        answer["msg"] = str(answer["msg"]).replace(there, shown)
    answer["actions"] = [str(action).replace(there, shown) for action in answer.get("actions", [])]
    for diff in answer.get("diff") or []:
        diff["after_header"] = str(diff.get("after_header", "")).replace(there, shown)
    return answer
