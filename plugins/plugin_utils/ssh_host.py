# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands as root on a managed host, through the connection plugins of ansible-core."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.loader import become_loader, connection_loader
from ansible_collections.conductor.containers.plugins.module_utils._errors import one_line, printable
from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import is_controller
from ansible_collections.conductor.containers.plugins.plugin_utils.become_prompts import without_prompt
from ansible_collections.conductor.containers.plugins.plugin_utils.forward import cancel, forward

_BECOME = ("user", "password", "exe", "flags")


class ManagedHost:
    """One managed host. `options` is get_option of a plugin with the options of the host."""

    def __init__(self, play_context: Any, options: Any, task_keys: dict | None, variables: dict | None) -> None:
        self.name = options("host")
        self.is_controller = is_controller(self.name)
        self._become = _host_become(options)
        self.has_become = self._become is not None
        play_context = play_context.copy()
        # By short names: ansible-playbook has read the options of these before it starts workers. With full names,
        # each task would read them again.
        if self.is_controller:
            self._connection = connection_loader.get("local", play_context)
            self._connection.set_options(task_keys=task_keys, var_options=variables)
        else:
            play_context.remote_addr = self.name
            self._connection = connection_loader.get("ssh", play_context)
            self._connection.set_options(task_keys=task_keys, var_options=variables)
            self._connection.set_option("host", self.name)
            self._connection.set_option("remote_user", options("host_user"))
            # The container must not get a terminal of the host, which would also change the data.
            self._connection.set_option("use_tty", False)
        # With pipelining, a become password goes through a pipe instead of a terminal.
        self._connection.set_option("pipelining", True)
        if self._become is not None:
            self._connection.set_become_plugin(self._become)

    def run(self, command: str, data: bytes | None = None) -> tuple[int, bytes, bytes]:
        """Run the shell command `command` as root with the input `data`; return its status, output and errors."""
        if self._become is not None:
            command = self._become.build_become_command(command, self._connection._shell)
        with _shown_errors():
            rc, stdout, stderr = self._connection.exec_command(command, in_data=data, sudoable=self._become is not None)
        if self._become is not None:
            stdout, stderr = self._stripped(stdout), without_prompt(self._become, stderr)
        return rc, stdout, stderr

    def run_with_secret_output(self, command: str) -> tuple[int, bytes, bytes]:
        """Do the same for a command whose output is a secret, which the ssh plugin would print with -vvv."""
        play_context = self._connection._play_context
        no_log, play_context.no_log = play_context.no_log, True
        try:
            return self.run(command)
        finally:
            play_context.no_log = no_log

    def _stripped(self, stdout: bytes) -> bytes:
        """Return the output without the line that marks the success of the become plugin."""
        before, mark, after = stdout.partition(self._become.success.encode())
        return before + after.lstrip(b"\r").removeprefix(b"\n") if mark else stdout

    def user_id(self) -> str:
        """Return the id of the login user on the host as text. A shell may print text before it."""
        with _shown_errors():
            _, stdout, _ = self._connection.exec_command("id -u", in_data=None, sudoable=False)
        # The last word; the agent refuses it if it is not a number.
        return "".join(stdout[-4096:].decode(errors="replace").split()[-1:])

    def forward_socket(self, socket: str, path: str) -> bool:
        """Make `socket` of the host available at the local `path`, which must not exist; return whether it worked."""
        if self.is_controller:
            os.symlink(socket, path)
            return True
        return forward(self._connection, socket, path)

    def cancel_forward(self, socket: str, path: str) -> None:
        """Undo `forward_socket`, without removing `path`."""
        if not self.is_controller:
            cancel(self._connection, socket, path)

    def reset(self) -> None:
        """Close the persistent connection, so that the next command makes a new one."""
        if not self.is_controller:
            self._connection.reset()

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def _shown_errors() -> Iterator[None]:
    """Make errors of the ssh plugin safe for a terminal: they contain text of the host, such as a banner."""
    try:
        yield
    except AnsibleConnectionFailure as error:
        message = str(error)
        if printable(message, keep="\n\t") == message:
            raise
        raise type(error)(one_line(message)) from None


def _host_become(options: Any) -> Any:
    """Return the become plugin for root on the host, or None if option host_become is false."""
    if not options("host_become"):
        return None
    method = options("host_become_method")
    plugin = become_loader.get(method)
    if plugin is None:
        raise AnsibleError(f"conductor_host_become_method: become plugin {method!r} does not exist")
    names = {"password": "become_pass"}
    given = {names.get(name, f"become_{name}"): options(f"host_become_{name}") for name in _BECOME}
    plugin.set_options(direct={name: value for name, value in given.items() if value is not None})
    return plugin
