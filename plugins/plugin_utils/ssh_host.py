# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed host as the connection plugins of ansible-core reach it: commands as root there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.loader import become_loader, connection_loader
from ansible_collections.conductor.containers.plugins.module_utils._errors import printable, shown
from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import is_here
from ansible_collections.conductor.containers.plugins.plugin_utils.become_prompts import without_prompt
from ansible_collections.conductor.containers.plugins.plugin_utils.forward import cancel, forward

_BECOME = ("user", "password", "exe", "flags")


class ManagedHost:
    """One host. `options` is what tells of it: get_option of a plugin."""

    def __init__(self, play_context: Any, options: Any, task_keys: dict | None, variables: dict | None) -> None:
        self.name = options("host")
        self.is_here = is_here(self.name)
        self._become = _host_become(options)
        self.has_become = self._become is not None
        play_context = play_context.copy()
        # By the short names, under which ansible-playbook has read their options before it starts workers: by the long
        # ones each task would read them again.
        if self.is_here:
            self._connection = connection_loader.get("local", play_context)
            self._connection.set_options(task_keys=task_keys, var_options=variables)
        else:
            play_context.remote_addr = self.name
            self._connection = connection_loader.get("ssh", play_context)
            self._connection.set_options(task_keys=task_keys, var_options=variables)
            self._connection.set_option("host", self.name)
            self._connection.set_option("remote_user", options("host_user"))
            # A terminal of the host's is nothing for a container, and would change what is sent.
            self._connection.set_option("use_tty", False)
        # With it a password for become goes through a pipe, not through a terminal.
        self._connection.set_option("pipelining", True)
        if self._become is not None:
            self._connection.set_become_plugin(self._become)

    def run(self, command: str, data: bytes | None = None) -> tuple[int, bytes, bytes]:
        """Run `command`, which is for a shell, as root on the host, fed with `data`: its status, output and errors."""
        if self._become is not None:
            command = self._become.build_become_command(command, self._connection._shell)
        with _shown_errors():
            rc, stdout, stderr = self._connection.exec_command(command, in_data=data, sudoable=self._become is not None)
        if self._become is not None:
            stdout, stderr = self._stripped(stdout), without_prompt(self._become, stderr)
        return rc, stdout, stderr

    def run_unshown(self, command: str) -> tuple[int, bytes, bytes]:
        """The same where what comes back is a secret: ssh's plugin shows it else, where Ansible is to tell much."""
        play_context = self._connection._play_context
        no_log, play_context.no_log = play_context.no_log, True
        try:
            return self.run(command)
        finally:
            play_context.no_log = no_log

    def _stripped(self, stdout: bytes) -> bytes:
        """Output without the line by which the become plugin tells that it has worked."""
        before, mark, after = stdout.partition(self._become.success.encode())
        return before + after.lstrip(b"\r").removeprefix(b"\n") if mark else stdout

    def user_id(self) -> str:
        """Number of the user who logs in on the host; what their shell says when it starts may come before it."""
        with _shown_errors():
            _, stdout, _ = self._connection.exec_command("id -u", in_data=None, sudoable=False)
        # A uid has ten digits at most; anything else is refused by who is asked to admit it.
        return "".join(stdout[-4096:].decode(errors="replace").split()[-1:])

    def bring(self, socket: str, path: str) -> bool:
        """Have `socket` of the host at `path`, where nothing is; whether it could be done."""
        if self.is_here:
            os.symlink(socket, path)
            return True
        return forward(self._connection, socket, path)

    def drop(self, socket: str, path: str) -> None:
        """Undo `bring`, but for what stands at `path`."""
        if not self.is_here:
            cancel(self._connection, socket, path)

    def reset(self) -> None:
        """Have another connection made from now on."""
        if not self.is_here:
            self._connection.reset()

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def _shown_errors() -> Iterator[None]:
    """Errors of ssh's plugin with what the host says in them, such as a banner, unable to act on a terminal."""
    try:
        yield
    except AnsibleConnectionFailure as error:
        message = str(error)
        if printable(message, keep="\n\t") == message:
            raise
        raise type(error)(shown(message)) from None


def _host_become(options: Any) -> Any:
    """The become plugin by which root is reached on the host; None where it is not asked for."""
    if not options("host_become"):
        return None
    method = options("host_become_method")
    plugin = become_loader.get(method)
    if plugin is None:
        raise AnsibleError(f"conductor_host_become_method: there is no become plugin {method!r}")
    names = {"password": "become_pass"}
    given = {names.get(name, f"become_{name}"): options(f"host_become_{name}") for name in _BECOME}
    plugin.set_options(direct={name: value for name, value in given.items() if value is not None})
    return plugin
