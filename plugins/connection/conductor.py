# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: conductor
short_description: Run tasks in a container on the controller or on a managed host reached by ssh
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Makes a container of M(conductor.containers.conductor_container) a target like any host, over the ssh connection to
    its host. The container has no sshd, and the host has no permanent daemon.
  - The first task starts an agent on the host, which runs the commands of later tasks. It ends ten minutes after the
    last request.
  - Tasks run in all namespaces of the container, in its root file system and its cgroup, under its system call filter,
    and with no more capabilities than the container has.
  - All options of the connection plugin P(ansible.builtin.ssh#connection) are accepted. They apply to the connection to
    the host.
  - C(become) selects another user in the container. O(host_become) selects whether to become root on the host.
notes:
  - C(remote_user) of a play and C(ansible_user) set the login user on the host. O(remote_user) sets the user in the
    container.
  - C(--ask-become-pass) asks for the password in the container, as C(become) applies to the container. The password on
    the host is O(host_become_password).
  - Tasks are fastest if ssh keeps its connection open (C(ControlPersist), the default) and the host's sshd forwards
    sockets (C(AllowStreamLocalForwarding), the default), because then no process has to be started on the host for a
    task. With O(host_become), the user then becomes root once in a run instead of once a task, as sudo's log shows.
  - With the inventory plugin or M(conductor.containers.conductor_target), Ansible loads this plugin once instead of
    once a task.
  - The host needs Python 3 and perl, which every Debian system has.
  - If the connection is lost, a running command goes on, as with ssh.
extends_documentation_fragment:
  - conductor.containers.managed_host
options:
  container:
    description:
      - Name of the container.
      - Defaults to the name of the target in the inventory. With C(delegate_to) the target is the delegated host.
    type: str
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: conductor_container
  remote_user:
    description: User in the container, by name or number, or C(USER:GROUP).
    type: str
    default: root
    vars:
      - name: conductor_user
  pipelining:
    description: Send modules over the connection instead of copying them to a file first.
    type: bool
    default: true
    vars:
      - name: conductor_pipelining
seealso:
  - module: conductor.containers.conductor_container
  - plugin: ansible.builtin.ssh
    plugin_type: connection
"""

EXAMPLES = r"""
# Containers of the controller, with Ansible run by root:
#
# all:
#   hosts:
#     web:
#       ansible_connection: conductor.containers.conductor
#
# Containers of two hosts, one of them with an unprivileged login user:
#
# all:
#   vars:
#     ansible_connection: conductor.containers.conductor
#   children:
#     alpha:
#       vars:
#         conductor_host: alpha.example.com
#         ansible_user: root
#       hosts:
#         web-on-alpha: {conductor_container: web}
#         db-on-alpha: {conductor_container: db}
#     beta:
#       vars:
#         conductor_host: beta.example.com
#         ansible_user: deploy
#         conductor_host_become: true
#         conductor_host_become_password: "{{ vault_beta_sudo }}"
#       hosts:
#         web-on-beta:
#           conductor_container: web
#           # User in the container.
#           conductor_user: www-data

- name: Install Python, which most modules need
  hosts: web-on-alpha
  gather_facts: false
  tasks:
    - name: Install Python
      ansible.builtin.raw: command -v python3 || { apt-get update && apt-get install -y python3; }
      changed_when: false
"""

import contextlib
import importlib.util
import os
import secrets
import shlex
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

if TYPE_CHECKING:
    from ansible_collections.conductor.containers.plugins.plugin_utils.ssh_host import ManagedHost

display = Display()

# Bytes of a file per command, as a file may exceed the memory. Less for reading, because ansible-core's ssh plugin
# copies all data read so far with each piece.
_PUT = 16 << 20
_FETCH = 4 << 20
# Exit status of a shell whose command does not exist.
_NOT_FOUND = 127


def _with_byte_code(name: str) -> ModuleType:
    """Import plugin_utils.`name` with cached byte code, as each task is a process of its own that needs it.

    Ansible's importer of collections compiles a module in each process, which takes longer than the rest of this
    plugin. Python's importer caches byte code, as Ansible's does for plugins.
    """
    full_name = f"ansible_collections.conductor.containers.plugins.plugin_utils.{name}"
    if full_name not in sys.modules:
        path = os.path.join(os.path.dirname(os.path.dirname(__file__)), "plugin_utils", f"{name}.py")
        spec = importlib.util.spec_from_file_location(full_name, path)
        # Not None for the path of a .py file.
        if spec is None or spec.loader is None:
            raise AssertionError("a .py file has no import spec")
        sys.modules[full_name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[full_name]


run_cache = _with_byte_code("run_cache")
agent_client = _with_byte_code("agent_client")


def _own_options(ssh: dict) -> dict:
    """Return the options of this plugin from those of the ssh plugin."""
    from ansible.module_utils.common.yaml import yaml_load
    from ansible_collections.conductor.containers.plugins.plugin_utils.host_options import managed_host_options

    return {**managed_host_options(ssh), **yaml_load(DOCUMENTATION)["options"]}


# Ansible would parse our documentation, with all options of ssh, in the process of each task. If ansible-playbook has
# parsed those of ssh, as it does before its first task (PlaybookExecutor), derive ours from them instead.
if _ssh_options := C.config.get_configuration_definitions("connection", "ssh"):
    _options = run_cache.cached_value("options", lambda: _own_options(_ssh_options))
    C.config.initialize_plugin_configuration_definitions("connection", __name__, _options)


def _shown(said: bytes | str) -> str:
    """Return text of a host or a container as one safe line. Imported here, so only tasks with an error load it."""
    from ansible_collections.conductor.containers.plugins.module_utils._errors import one_line

    return one_line(said)


def _of_delegated_host(name: str, variables: dict) -> dict:
    """Return the variables of the delegated host `name`, corrected for the container's name and the managed host.

    ansible-core keeps inventory_hostname of the delegating host, and sets ansible_host to the name if the host has none
    (PlayContext.set_task_and_variable_override).
    """
    own = {"conductor_container": name, **variables}
    if own.get("ansible_host") == name:
        del own["ansible_host"]
    return own


class Connection(ConnectionBase):
    """A connection to one container."""

    transport = "conductor.containers.conductor"
    has_pipelining = True
    # A become plugin that requires a terminal gets one inside; see _on_terminal.
    has_tty = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._given: tuple[dict | None, dict | None] = (None, None)
        self._managed_host: ManagedHost | None = None

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        delegated = (task_keys or {}).get("delegate_to")
        if delegated:
            var_options = _of_delegated_host(delegated, var_options or {})
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self._given = (task_keys, var_options)
        self._managed_host = None

    def get_option(self, option: str, hostvars: dict | None = None) -> Any:
        """Return an option; for remote_user a name that a shell accepts after "~", or "" for its own HOME.

        ansible-core builds the path of temporary directories from it (ActionBase._remote_expand_user).
        """
        value = super().get_option(option, hostvars=hostvars)
        if option != "remote_user":
            return value
        name = str(value).partition(":")[0]
        return "" if name.isdecimal() else name

    @property
    def managed_host(self) -> ManagedHost:
        """The managed host of the options. Most tasks do not load this, because they reach the agent by a socket."""
        if self._managed_host is None:
            from ansible_collections.conductor.containers.plugins.plugin_utils.ssh_host import ManagedHost

            self._managed_host = ManagedHost(self._play_context, self.get_option, *self._given)
        return self._managed_host

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def close(self) -> None:
        if self._managed_host is not None:
            self._managed_host.close()
        self._connected = False

    def reset(self) -> None:
        """Close the connection to the host, for instance after a change of the user's groups there."""
        socket = run_cache.agent_paths()[1]
        path = agent_client.local_socket_path(socket, self.get_option)
        if path not in (None, socket):
            # The agent's socket leads through the old connection.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        self.managed_host.reset()
        self.close()

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run the shell command `cmd` in the container; return its status, output and errors."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        if sudoable and getattr(self.become, "require_tty", False):
            cmd = self._on_terminal(cmd)
        if sudoable and self.become is not None and self.become.expect_prompt():
            return self._exec_with_password(cmd, in_data or b"")
        return self._enter(cmd, in_data)

    def _on_terminal(self, cmd: str) -> str:
        """Return `cmd` with a terminal of the container by script(1), which each Debian has (package bsdutils).

        As with `ssh -tt`, its output and errors are one stream then, in lines that end with a carriage return.
        """
        if self.become.get_option("become_pass"):
            raise AnsibleError(
                f"become method {self.become.name} asks for a password at a terminal, which this connection cannot "
                "answer. Connect as a user that may become another without a password, or use sudo or su"
            )
        return f"script --quiet --return --command {shlex.quote(cmd)} /dev/null"

    def _exec_with_password(self, cmd: str, data: bytes) -> tuple[int, bytes, bytes]:
        """Run `cmd` if become may ask for a password: send the password and a mark before the data.

        The command skips its input up to the mark, whether the password was asked for or not.
        """
        from ansible_collections.conductor.containers.plugins.plugin_utils.become_prompts import without_prompt

        mark = f"MARK-{secrets.token_hex(8)}"
        success = f"{self._shell.ECHO} {self.become.success}"
        # Without quotes, because it is inserted into a quoted string.
        skip = f"while read -r line; do case $line in {mark}) break;; esac; done"
        password = self.become.get_option("become_pass")
        rc, stdout, stderr = self._enter(
            cmd.replace(success, f"{success}; {skip}", 1), f"{password}\n{mark}\n".encode() + data
        )
        if not self.become.check_success(stdout):
            if self.become.check_incorrect_password(stdout + stderr):
                raise AnsibleError(f"Incorrect {self.become.name} password")
            if self.become.check_missing_password(stdout + stderr):
                raise AnsibleError(f"Missing {self.become.name} password")
        return rc, stdout, without_prompt(self.become, stderr)

    def _enter(self, cmd: str, data: bytes | None = None) -> tuple[int, bytes, bytes]:
        """Run `cmd` as it is, as the container's user. Raises AnsibleConnectionFailure if it was not run."""
        container, host = self.get_option("container"), self.get_option("host")
        where = container if agent_client.is_controller(host) else f"{container} on {host}"
        display.vvv(f"ENTER {where}: {cmd}", host=container)
        request = agent_client.command_request(container, super().get_option("remote_user"), cmd)
        try:
            rc, stdout, stderr = self._outcome(request, data)
        except agent_client.NotRun as error:
            raise AnsibleConnectionFailure(f"container {where}: {_shown(str(error))}") from None
        except agent_client.ConnectionLost as error:
            why = f"the connection was lost while a command was running: {_shown(str(error))}"
            raise AnsibleConnectionFailure(f"container {where}: {why}") from None
        if rc == _NOT_FOUND:
            from ansible_collections.conductor.containers.plugins.plugin_utils.missing_python import find_missing_python

            missing = find_missing_python(stderr)
            if missing is not None:
                hint = (
                    f"container {where} has no {_shown(missing)}, which modules need. Install it with "
                    "ansible.builtin.raw: apt-get update && apt-get install -y python3"
                )
                display.warning(hint)
        return rc, stdout, stderr

    def _outcome(self, request: list[str], data: bytes | None) -> tuple[int, bytes, bytes]:
        """Send `request` to the agent; return status, output and errors.

        Raises NotRun, Lost, AnsibleConnectionFailure.
        """
        socket = run_cache.agent_paths()[1]
        path = agent_client.local_socket_path(socket, self.get_option)
        if path is not None:
            with contextlib.suppress(agent_client.NotAccepted):
                return agent_client.run(path, request, data or b"")
        outcome = self._outcome_of_client(request, data)
        # An agent is running now. For root on the controller itself, its own socket is enough.
        if path not in (None, socket):
            from ansible_collections.conductor.containers.plugins.plugin_utils.open_agent import open_agent_socket

            open_agent_socket(self.managed_host, socket, path, self.get_option("host_python"))
        return outcome

    def _outcome_of_client(self, request: list[str], data: bytes | None) -> tuple[int, bytes, bytes]:
        """Send `request` with the client on the host, which starts the agent if none is running."""
        from ansible_collections.conductor.containers.plugins.plugin_utils.perl_client import BundleMissing, Client

        host, client = self.managed_host, Client(["own", *request], self.get_option("host_python"))
        for _ in range(2):
            try:
                return client.outcome(*host.run(client.command, data))
            except BundleMissing:
                from ansible_collections.conductor.containers.plugins.plugin_utils.host_bundle import install_command

                command, content = install_command(self.get_option("host_python"))
                rc, _, stderr = host.run(command, content)
                if rc:
                    raise AnsibleConnectionFailure(f"{host.name}: {_shown(stderr)}") from None
        raise AnsibleConnectionFailure(f"{host.name}: the bundle is missing again after it was installed")

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file from the controller into the container, as the container's user."""
        super().put_file(in_path, out_path)
        try:
            with open(in_path, "rb") as file:
                # Create the file first: with an empty input, the ssh plugin would never close the input.
                self._file_command(f": > {shlex.quote(out_path)}")
                while chunk := file.read(_PUT):
                    self._file_command(f"cat >> {shlex.quote(out_path)}", chunk)
        except FileNotFoundError:
            raise AnsibleFileNotFound(f"file or module does not exist: {in_path}") from None

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file from the container to the controller, as the container's user."""
        super().fetch_file(in_path, out_path)
        count = 0
        with open(out_path, "wb") as file:
            while True:
                # The block size is the piece size, so that every block but the last is full, also if reads are short.
                block = f"bs={_FETCH} count=1 skip={count} iflag=fullblock"
                chunk = self._file_command(f"dd if={shlex.quote(in_path)} {block} status=none")
                file.write(chunk)
                count += 1
                if len(chunk) < _FETCH:
                    break

    def _file_command(self, command: str, data: bytes | None = None) -> bytes:
        rc, stdout, stderr = self._enter(command, data)
        if rc:
            raise AnsibleError(f"container {self.get_option('container')}: {_shown(stderr)}")
        return stdout
