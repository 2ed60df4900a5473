#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_command
short_description: Install the host command conductor
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - The program C(conductor) does on the host itself, for whoever has a shell there as root, what the modules do for a
    playbook, on the same files. C(conductor --help) tells its verbs.
  - It is one file, made of the modules' own code. It needs C(/usr/bin/python3), but neither Ansible nor this
    collection.
  - A file of another program at O(path) or O(completion) is never replaced or removed.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  state:
    description: Whether the command is there, in the release of this collection.
    type: str
    choices: [present, absent]
    default: present
  path:
    description: The program's file, an absolute path. Directories are made where they are missing.
    type: path
    default: /usr/local/bin/conductor
  completion:
    description: The file by which bash completes its verbs, options, containers and images, an absolute path.
    type: path
    default: /usr/share/bash-completion/completions/conductor
seealso:
  - module: conductor.containers.conductor_container
"""

EXAMPLES = r"""
- name: Have the host command
  conductor.containers.conductor_command:

- name: Have it elsewhere
  conductor.containers.conductor_command:
    path: /opt/conductor/bin/conductor

- name: Remove it
  conductor.containers.conductor_command:
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [write /usr/local/bin/conductor, write /usr/share/bash-completion/completions/conductor]
path:
  description: The program's file.
  returned: success
  type: str
  sample: /usr/local/bin/conductor
completion:
  description: The file for bash.
  returned: success
  type: str
  sample: /usr/share/bash-completion/completions/conductor
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module(
        {
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "path": {"type": "path", "default": "/usr/local/bin/conductor"},
            "completion": {"type": "path", "default": "/usr/share/bash-completion/completions/conductor"},
        },
        "_cli.install.use_case:build",
    )


if __name__ == "__main__":
    main()
