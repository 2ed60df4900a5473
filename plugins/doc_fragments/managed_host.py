# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a managed host is reached: our options, and all that the ssh connection plugin of ansible-core has."""

from __future__ import annotations

import json
from typing import Any

from ansible import constants as C
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.connection import ssh

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


def _documentation() -> str:
    """Options of ssh as the ansible-core that runs knows them, so that none of them is ever missing here.

    This is loaded for each task, and ssh's documentation is a slow thing to read: ansible-playbook has read it before
    its first task (PlaybookExecutor), under this name. What is made of it is JSON, which is YAML, and faster to write.
    """
    known = C.config.get_configuration_definitions("connection", "ssh") or yaml_load(ssh.DOCUMENTATION)["options"]
    options = _as_ours(known)
    user = options["remote_user"]
    ours = yaml_load(_OURS)["options"]
    ours["host_user"] = {**user, "vars": [*user["vars"], {"name": "conductor_host_user"}]}
    passed_on = {name: option for name, option in options.items() if name not in _NOT_SSH}
    return json.dumps({"options": {**passed_on, **ours}})


def _as_ours(part: Any) -> Any:
    """With our name of the user, and without the releases of ansible-core, which would be taken for ours."""
    if isinstance(part, list):
        return [_as_ours(each) for each in part]
    if isinstance(part, dict):
        return {key: _as_ours(value) for key, value in part.items() if not key.startswith("version_added")}
    return part.replace("O(remote_user)", "O(host_user)") if isinstance(part, str) else part


class ModuleDocFragment:
    """Its documentation is made when it is loaded."""


ModuleDocFragment.DOCUMENTATION = _documentation()
