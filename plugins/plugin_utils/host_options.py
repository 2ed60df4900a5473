# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options for the connection to a managed host: ours, and those of ansible-core's ssh plugin.

Plugins document them with the fragment managed_host.
"""

from __future__ import annotations

from ansible.module_utils.common.yaml import yaml_load

_OURS = r"""
options:
  host:
    description:
      - Name or address of the managed host for ssh.
      - If it is not set, or V(localhost) or V(local), the containers are those of the controller itself.
    type: str
    vars:
      - name: ansible_host
      - name: ansible_ssh_host
      - name: conductor_host
  host_become:
    description: Whether the login user must become root on the host. Entering a container requires root.
    type: bool
    default: false
    vars:
      - name: conductor_host_become
  host_become_method:
    description: Become plugin to become root on the host.
    type: str
    default: sudo
    vars:
      - name: conductor_host_become_method
  host_become_user:
    description: User to become on the host. It must have the rights of root.
    type: str
    default: root
    vars:
      - name: conductor_host_become_user
  host_become_password:
    description: Password for O(host_become).
    type: str
    vars:
      - name: conductor_host_become_password
  host_become_exe:
    description: Program of the become plugin. Defaults to the plugin's own default.
    type: str
    vars:
      - name: conductor_host_become_exe
  host_become_flags:
    description: Options of the program of the become plugin. Defaults to the plugin's own default.
    type: str
    vars:
      - name: conductor_host_become_flags
  host_python:
    description: Python 3 interpreter on the host. Modules in the container use C(ansible_python_interpreter).
    type: str
    default: /usr/bin/python3
    vars:
      - name: conductor_host_python
"""

# Options of ssh that ours replace (host and user), or that our connection plugin sets itself.
_NOT_SSH = ("host", "remote_user", "pipelining", "use_tty")


def managed_host_options(ssh: dict) -> dict:
    """Return the options of a plugin that reaches a managed host: ours, and those of ansible-core's ssh plugin, `ssh`.

    Both have the format of Ansible's configuration: the documentation of each option by name.
    """
    user = ssh["remote_user"]
    host_user = {**user, "vars": [*user["vars"], {"name": "conductor_host_user"}]}
    passed_on = {name: option for name, option in ssh.items() if name not in _NOT_SSH}
    return {**passed_on, **yaml_load(_OURS)["options"], "host_user": host_user}
