#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_container_info
short_description: Tell which containers a host has, and what they use
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Lists containers of M(conductor.containers.conductor_container) with their state, process, addresses, exit status,
    the end of their log, and what they use of CPU, memory, processes and network.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.attributes.info_module
  - conductor.containers.settings
options:
  name:
    description: Names of the containers to tell of. All where it is not given. A name that does not exist is left out.
    type: list
    elements: str
seealso:
  - module: conductor.containers.conductor_container
"""

EXAMPLES = r"""
- name: Look at all containers
  conductor.containers.conductor_container_info:
  register: all

- name: Which ones run
  ansible.builtin.debug:
    msg: "{{ all.containers | selectattr('state', 'equalto', 'running') | map(attribute='name') }}"
"""

RETURN = r"""
containers:
  description: One entry for each container, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name. The rest is as RV(conductor.containers.conductor_container#module:container).
      type: str
      returned: always
    state:
      description: As there, or V(damaged).
      type: str
      returned: always
    error:
      description: Files of it that cannot be read, and why. All else is told as far as it is known.
      type: str
      returned: when there is such a file
    usage:
      description: Null where it does not run.
      type: dict
      returned: always
      contains:
        cpu:
          description: CPU time used, in nanoseconds.
          type: int
          returned: where the host counts it
        memory:
          description: Memory in use, in bytes.
          type: int
          returned: where the host counts it
        pids:
          description: Processes and threads.
          type: int
          returned: where the host counts it
        network:
          description:
            - Bytes and packets received and sent, for each of at most 256 links.
            - Bytes of a name that are no UTF-8 are shown as escapes.
          type: dict
          returned: always
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module({"name": {"type": "list", "elements": "str"}}, "_container.info:ContainerInfoCase")


if __name__ == "__main__":
    main()
