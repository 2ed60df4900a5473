#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_container_info
short_description: List containers and their resource usage
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Lists containers of M(conductor.containers.conductor_container) with their state, process, addresses, exit status,
    the end of their log, and their usage of CPU, memory, processes and network.
extends_documentation_fragment:
  - conductor.containers.attributes.info_module
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  name:
    description:
      - Names of the containers to list. Defaults to all containers.
      - Names that do not exist are ignored.
    type: list
    elements: str
seealso:
  - module: conductor.containers.conductor_container
"""

EXAMPLES = r"""
- name: List all containers
  conductor.containers.conductor_container_info:
  register: all

- name: Show the names of running containers
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
      description:
        - Name of the container. The other values are those of
          RV(conductor.containers.conductor_container#module:container).
      type: str
      returned: always
    state:
      description:
        - State as in RV(conductor.containers.conductor_container#module:container.state), or V(damaged).
      type: str
      returned: always
    error:
      description:
        - Files of the container that cannot be read, with the reason.
        - With RV(containers[].state=damaged) only this, the name, the state and the usage are returned.
      type: str
      returned: if a file cannot be read
    usage:
      description: Resource usage. Null if the container does not run.
      type: dict
      returned: always
      contains:
        cpu:
          description: CPU time used, in nanoseconds.
          type: int
          returned: if the host counts it
        memory:
          description: Memory in use, in bytes.
          type: int
          returned: if the host counts it
        pids:
          description: Number of processes and threads.
          type: int
          returned: if the host counts it
        network:
          description:
            - Bytes and packets received and sent by each network interface except C(lo), for at most 256 interfaces.
            - Bytes in a name that are not UTF-8 are escaped.
          type: dict
          returned: always
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module({"name": {"type": "list", "elements": "str"}}, "_container.info:ContainerInfoCase")


if __name__ == "__main__":
    main()
