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
  - Installs the program C(conductor), with which root manages containers in a shell on the host. It does the same as
    the modules, on the same files.
  - C(conductor --help) lists its verbs.
  - The program runs the modules' own code. It needs C(/usr/bin/python3), but neither Ansible nor this collection on the
    host.
  - A file at O(path) or O(completion) that belongs to another program is never replaced or removed.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  state:
    description:
      - V(present) installs the command in the release of this collection.
      - V(absent) removes it.
    type: str
    choices: [present, absent]
    default: present
  path:
    description:
      - Path of the program file, an absolute path.
      - Missing parent directories are created.
    type: path
    default: /usr/local/bin/conductor
  completion:
    description: Path of the bash completion file for verbs, options, containers and images, an absolute path.
    type: path
    default: /usr/share/bash-completion/completions/conductor
seealso:
  - module: conductor.containers.conductor_container
"""

EXAMPLES = r"""
- name: Install the host command
  conductor.containers.conductor_command:

- name: Install it at another path
  conductor.containers.conductor_command:
    path: /opt/conductor/bin/conductor

- name: Remove it
  conductor.containers.conductor_command:
    state: absent
"""

RETURN = r"""
actions:
  description: Actions that were done, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [write /usr/local/bin/conductor, write /usr/share/bash-completion/completions/conductor]
path:
  description: Path of the program file.
  returned: success
  type: str
  sample: /usr/local/bin/conductor
completion:
  description: Path of the bash completion file.
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
