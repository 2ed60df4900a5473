# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A managed host as the connection plugins of ansible-core reach it: the options for that, and commands as root there.

Whoever uses it documents the options by the fragment managed_host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.loader import become_loader, connection_loader
from ansible_collections.conductor.containers.plugins.plugin_utils.forwarding import Forwarding

# What a user may write for "this very machine". 127.0.0.1 is not among it: virtual machines answer there.
_HERE = (None, "", "local", "localhost")
_BECOME = ("user", "password", "exe", "flags")

_OURS = r"""
options:
  host:
    description:
      - The managed host, as ssh reaches it.
      - Without it, or with V(localhost) or V(local), the containers are those of the controller itself.
    type: str
    vars:
      - name: ansible_host
      - name: conductor_host
  host_become:
    description: Whether the user who logs in has to become root on the host, which entering a container needs.
    type: bool
    default: false
    vars:
      - name: conductor_host_become
  host_become_method:
    description: The become plugin for that.
    type: str
    default: sudo
    vars:
      - name: conductor_host_become_method
  host_become_user:
    description: Whom to become on the host. It must have root's rights.
    type: str
    default: root
    vars:
      - name: conductor_host_become_user
  host_become_password:
    description: The password that is asked for on the way.
    type: str
    vars:
      - name: conductor_host_become_password
  host_become_exe:
    description: The program for it, where it is not the become plugin's own.
    type: str
    vars:
      - name: conductor_host_become_exe
  host_become_flags:
    description: Options of that program, instead of the become plugin's own.
    type: str
    vars:
      - name: conductor_host_become_flags
  host_python:
    description: Python 3 of the host. What runs inside has an interpreter of its own, C(ansible_python_interpreter).
    type: str
    default: /usr/bin/python3
    vars:
      - name: conductor_host_python
"""

# Not passed on as they are: which host, which user, and that there is never a terminal.
_NOT_SSH = ("host", "remote_user", "pipelining", "use_tty")


def managed_host_options(ssh: dict) -> dict:
    """Options of a plugin that reaches a managed host: ours, and those of ansible-core's ssh plugin, which are `ssh`.

    As Ansible's configuration has them: by name, each as it is documented.
    """
    user = ssh["remote_user"]
    host_user = {**user, "vars": [*user["vars"], {"name": "conductor_host_user"}]}
    passed_on = {name: option for name, option in ssh.items() if name not in _NOT_SSH}
    return {**passed_on, **yaml_load(_OURS)["options"], "host_user": host_user}


class ManagedHost:
    """One host. `options` is what tells of it: get_option of a plugin."""

    def __init__(self, play_context: Any, options: Any, task_keys: dict | None, variables: dict | None) -> None:
        self.name = options("host")
        self.is_here = self.name in _HERE
        self._become = _host_become(options)
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
        rc, stdout, stderr = self._connection.exec_command(command, in_data=data, sudoable=self._become is not None)
        if self._become is not None:
            stdout, stderr = self._stripped(stdout), self._become.strip_become_prompt(stderr)
        return rc, stdout, stderr

    def _stripped(self, stdout: bytes) -> bytes:
        """Output without the line by which the become plugin tells that it has worked."""
        before, mark, after = stdout.partition(self._become.success.encode())
        return before + after.lstrip(b"\r").removeprefix(b"\n") if mark else stdout

    def path_to(self, socket: str) -> str | None:
        """Path on this machine by which to connect to `socket`, root's on the host; None where there cannot be one.

        There need not be anything yet.
        """
        if self._become is not None:
            return None
        if self.is_here:
            return socket
        forwarding = Forwarding(self._connection, socket)
        return None if forwarding.is_refused else forwarding.path

    def open_path_to(self, socket: str, is_answered: Callable[[str], bool]) -> None:
        """Make what `path_to` tells of, where somebody serves: `is_answered` tells of a path whether it leads there."""
        if self._become is None and not self.is_here:
            Forwarding(self._connection, socket).open(is_answered)

    def reset(self, socket: str) -> None:
        """Have a new connection made; `socket` as for `path_to`."""
        if not self.is_here:
            Forwarding(self._connection, socket).forget()
            self._connection.reset()

    def close(self) -> None:
        self._connection.close()


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
