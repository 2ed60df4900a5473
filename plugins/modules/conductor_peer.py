#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_peer
short_description: Allow two containers to reach each other
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Allows two containers to reach each other by address and by name (C(/etc/hosts)). By default, containers do not
    reach each other.
  - Both containers need a network (M(conductor.containers.conductor_network)). They do not need to run.
  - The permission is for these two containers. A new container with the same name does not inherit it.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  container:
    description: Name of the first container, the caller if O(direction=to).
    type: str
    required: true
  peer:
    description: Name of the second container.
    type: str
    required: true
  state:
    description:
      - V(present) allows connections, V(absent) forbids them.
      - With V(absent) established connections are cut, too.
    type: str
    choices: [present, absent]
    default: present
  ports:
    description:
      - Ports of the called container to allow, such as V(80/tcp), V(8000-8010/udp) or V(80) (TCP).
      - Defaults to every port and every protocol.
    type: list
    elements: str
  direction:
    description:
      - V(both) applies to connections in both directions. The order of O(container) and O(peer) does not matter.
      - V(to) applies to connections from O(container) to O(peer). The other direction is not changed.
    type: str
    choices: [both, to]
    default: both
seealso:
  - module: conductor.containers.conductor_network
"""

EXAMPLES = r"""
- name: Allow the web tier and the database to reach each other
  conductor.containers.conductor_peer:
    container: web
    peer: db

- name: Allow only the web tier to call the database, and only on one port
  conductor.containers.conductor_peer:
    container: web
    peer: db
    direction: to
    ports: [5432/tcp]

- name: Remove the permission
  conductor.containers.conductor_peer:
    container: web
    peer: db
    state: absent
"""

RETURN = r"""
actions:
  description: Actions that were done, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["write the network of web", "update the firewall sets peer_port", "write /etc/hosts in web"]
peers:
  description:
    - Allowed directions between the two containers, each with the ports of the called container.
    - An empty list of ports means every port.
  returned: success
  type: list
  elements: dict
  sample: [{container: web, peer: db, ports: [5432/tcp]}]
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module(
        {
            "container": {"type": "str", "required": True},
            "peer": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "ports": {"type": "list", "elements": "str"},
            "direction": {"type": "str", "choices": ["both", "to"], "default": "both"},
        },
        "_network.peer_use_case:PeerCase",
    )


if __name__ == "__main__":
    main()
