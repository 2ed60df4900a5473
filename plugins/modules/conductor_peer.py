#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_peer
short_description: Let two containers reach each other
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Containers do not reach each other. This lets two of them, by address and by name (C(/etc/hosts)).
  - Both need a network (M(conductor.containers.conductor_network)); neither needs to run.
  - What was allowed means these very containers. A new container of the same name is not meant.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  container:
    description: Name of the one container.
    type: str
    required: true
  peer:
    description: Name of the other container.
    type: str
    required: true
  state:
    description:
      - Whether the one may call the other.
      - With V(absent) running connections end, too.
    type: str
    choices: [present, absent]
    default: present
  ports:
    description:
      - Ports of the called container that the other may call, like V(80/tcp), V(8000-8010/udp) or V(80) (which is TCP).
      - Without it every port and every protocol.
    type: list
    elements: str
  direction:
    description:
      - V(both) means that each may call the other, so the order of O(container) and O(peer) does not matter.
      - V(to) means that O(container) may call O(peer); about the reverse it says nothing.
    type: str
    choices: [both, to]
    default: both
seealso:
  - module: conductor.containers.conductor_network
"""

EXAMPLES = r"""
- name: The web tier and the database reach each other
  conductor.containers.conductor_peer:
    container: web
    peer: db

- name: Only the web tier calls the database, and only there
  conductor.containers.conductor_peer:
    container: web
    peer: db
    direction: to
    ports: [5432/tcp]

- name: Not any more
  conductor.containers.conductor_peer:
    container: web
    peer: db
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["write the network of web", "update the firewall sets peer_port", "write /etc/hosts in web"]
peers:
  description: Which of the two may call which, and on which ports of it; no ports means every one.
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
