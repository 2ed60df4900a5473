# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that tell how a managed host is reached: ours, and those of ansible-core's ssh plugin.

Whoever uses them documents them by the fragment managed_host.
"""

from __future__ import annotations

from ansible.module_utils.common.yaml import yaml_load

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
