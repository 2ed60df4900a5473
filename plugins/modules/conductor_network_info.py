#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_network_info
short_description: Show the networks of containers
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Shows addresses, exposed ports and peers of containers, and where the kernel is not as it should be.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  container:
    description: Name of one container. Without it, all.
    type: str
seealso:
  - module: conductor.containers.conductor_network
"""

EXAMPLES = r"""
- name: Look at all networks
  conductor.containers.conductor_network_info:
  register: found

- name: Tell what would be repaired
  ansible.builtin.debug:
    msg: "{{ found.drift + found.networks | map(attribute='drift') | flatten }}"
"""

RETURN = r"""
networks:
  description: Each container that has a network.
  returned: success
  type: list
  elements: dict
  sample:
    - container: web
      ipv4: 10.87.0.2
      gateway4: 10.87.0.1
      ipv6: fd87:c04d:c70::2
      gateway6: fd87:c04d:c70::1
      mac: "02:4d:21:0c:94:aa"
      mtu: 1500
      internet: true
      uplink: null
      host_access: true
      metadata: false
      dns: [192.0.2.53]
      dns_search: null
      dns_options: null
      extra_hosts: {}
      expose:
        - {container_port: 8080, host_port: 80, protocol: tcp, host_ip: null}
      peers:
        - {peer: db, ports: [5432/tcp]}
      interface: cdtr-8a5edab282
      attached: true
      drift: ["eth0 lacks 10.87.0.2/32"]
drift:
  description: What is not right with the host as a whole.
  returned: success
  type: list
  elements: str
  sample: ["the firewall table inet conductor is missing"]
pools:
  description: The networks that addresses come from.
  returned: success
  type: dict
  sample: {pool4: 10.87.0.0/16, pool6: "fd87:c04d:c70::/64"}
table_present:
  description: Whether the firewall's table is there. It goes with the last connected container.
  returned: success
  type: bool
  sample: true
input_blocked_by:
  description: Chains of other firewalls on the host that may drop what containers send to the host itself.
  returned: success
  type: list
  elements: str
  sample: ["inet filter input (policy drop)"]
blocked_by:
  description: Chains of other firewalls on the host that may drop packets between containers and other hosts.
  returned: success
  type: list
  elements: str
  sample: ["ip filter FORWARD (policy drop)"]
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module({"container": {"type": "str"}}, "_network.info:NetworkInfoCase")


if __name__ == "__main__":
    main()
