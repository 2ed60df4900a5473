#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_network_info
short_description: Return the networks of containers
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Returns addresses, exposed ports and peers of containers, and the drift, which is the difference between the stored
    options and the kernel.
extends_documentation_fragment:
  - conductor.containers.attributes.info_module
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  name:
    description: Names of the containers. Defaults to all containers.
    type: list
    elements: str
seealso:
  - module: conductor.containers.conductor_network
"""

EXAMPLES = r"""
- name: Get all networks
  conductor.containers.conductor_network_info:
  register: found

- name: Show the drift that a run would repair
  ansible.builtin.debug:
    msg: "{{ found.drift + found.networks | map(attribute='drift') | flatten }}"
"""

RETURN = r"""
networks:
  description:
    - Networks of the containers that have one, or drift.
    - A container that has drift and no readable network has only C(container) and C(drift).
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
      link: cdtr-8a5edab282
      attached: true
      drift: ["eth0 lacks 10.87.0.2/32"]
drift:
  description: Drift of the host as a whole.
  returned: success
  type: list
  elements: str
  sample: ["the firewall table inet conductor is missing"]
pools:
  description: Address pools of the containers.
  returned: success
  type: dict
  sample: {pool4: 10.87.0.0/16, pool6: "fd87:c04d:c70::/64"}
table_present:
  description:
    - Whether both nftables tables exist.
    - They are removed with the last connected container.
  returned: success
  type: bool
  sample: true
input_blocked_by:
  description: Chains of other firewalls on the host that may drop packets from containers to the host itself.
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
    run_module({"name": {"type": "list", "elements": "str"}}, "_network.info:NetworkInfoCase")


if __name__ == "__main__":
    main()
