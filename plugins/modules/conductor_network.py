#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_network
short_description: Connect a container to its host, the internet and the outside
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Gives a container a network of its own, a routed link to the host with an IPv4 and an IPv6 address.
  - Host and container reach each other, and nothing beyond, until O(internet), O(expose) or
    M(conductor.containers.conductor_peer) allow more.
  - The options describe the whole network. What is not given takes its default; only the addresses that a container has
    stay, and the peers, which M(conductor.containers.conductor_peer) rules.
  - Works on a running container at once, is kept over its restart, and goes with it.
  - Everything is in two tables of nftables, C(inet conductor) and C(netdev conductor). No other table is changed. A
    base chain of another firewall that drops forwarded packets does so for containers too; RV(blocked_by) names it. If
    C(/etc/conductor/conductor.json) has C(firewall) as V(accept), containers' packets are let through such a chain by
    two rules at its end, which go with the last network. What its own rules drop stays dropped, and our own table has
    judged the same packets before.
  - Without those tables, flushed or deleted, nothing passes between a container and the rest, until O(state=reconciled)
    or any other run repairs it.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  container:
    description: Name of the container. Required unless O(state=reconciled).
    type: str
  state:
    description:
      - V(present) gives the container this network, and repairs what is missing of it on the host.
      - V(absent) takes its network away.
      - V(reconciled) repairs the networks of all containers of the host, as they were asked for, after somebody flushed
        the firewall or deleted an interface.
    type: str
    choices: [present, absent, reconciled]
    default: present
  internet:
    description:
      - Whether the container reaches the internet, behind the host's address. That is what the host's interfaces with a
        default route lead to, as they were when a module last looked; C(state=reconciled) follows changes.
      - Networks of the host behind other interfaces, like those of virtual machines or other programs' containers, are
        out of reach; O(interface) names one of them instead.
      - Nobody outside reaches the container by it.
      - Link-local addresses (169.254.0.0/16) and the metadata services of clouds stay out of reach, see O(metadata).
    type: bool
    default: false
  interface:
    description:
      - The interface of the host by which the container goes out, with O(internet=true).
      - Without it each interface that has a default route.
    type: str
  expose:
    description:
      - Ports of the host that lead to the container, from outside, from the host itself (also by V(localhost)) and from
        other containers that may reach the host.
      - A string is V(CONTAINER_PORT-HOST_PORT), so V(8080-80) makes the container's port 8080 the host's port 80. This
        is the reverse of the order of docker and podman. V(/udp) may follow.
      - V(10000-10100:10000-10100) is a range of the host's ports that leads to the same ports of the container. Both
        sides must be equal, since other programs have the host's side first; use a dictionary for different ports.
      - The module warns about a pair like V(10000-20000/udp), which is one port, and looks like a range.
      - A dictionary has V(container_port), V(host_port) (default the same), V(protocol) (V(tcp) or V(udp), default
        V(tcp)) and V(host_ip) (one address of the host, default all). Ports may be ranges of equal length like
        V(8000-8010). A range that leads to other ports has at most 1024 ports; others have no limit.
    type: list
    elements: raw
    default: []
  host_access:
    description:
      - Whether the container reaches services on the host, and ports that the host exposes.
      - V(false) closes the whole way to the host. Whatever the container begins, to any address of the host and by any
        protocol, is dropped, ping and name servers on the host included; give it others with O(dns).
        What the host begins goes on to work, and so does neighbour discovery, without which there is no link.
      - The host reaches the container in any case.
    type: bool
    default: true
  metadata:
    description:
      - Whether the container reaches the metadata services of clouds, which give a machine's credentials to whoever
        asks from there, as V(169.254.169.254) and V(fd00:ec2::254) do. A container that asks is taken for the host.
      - It allows these addresses only, by the ways that O(internet) and O(host_access) open. Others of 169.254.0.0/16
        stay closed, for no router forwards them (RFC 3927).
      - Name servers on such addresses, which some clouds have, answer in any case.
    type: bool
    default: false
  ipv4:
    description: A fixed IPv4 address, inside the pool. Without it the container gets a free one, and keeps it.
    type: str
  ipv6:
    description: A fixed IPv6 address, inside the pool. Without it the container gets a free one, and keeps it.
    type: str
  mac:
    description: The container's hardware address. Without it one that follows from the container.
    type: str
  mtu:
    description: Size of the largest packet in bytes, 1280 to 65535.
    type: int
    default: 1500
  dns:
    description:
      - Name servers for the container's C(/etc/resolv.conf), by address.
      - Without it a container with O(internet=true) gets the host's name servers, search domains and options, without
        those servers that it does not reach, for which the module warns. Others' files stay as they are.
      - RV(network) has the list of servers in effect as C(dns).
      - In C(/etc/resolv.conf) and C(/etc/hosts) a block between C(# BEGIN conductor) and C(# END conductor) is managed.
        All other lines belong to the container, but a C(resolv.conf) without such a block is replaced.
    type: list
    elements: str
  dns_search:
    description:
      - Search domains for the container's C(/etc/resolv.conf).
      - Without it a container that gets the host's name servers gets its search domains, too.
    type: list
    elements: str
  dns_options:
    description:
      - Options for the container's C(/etc/resolv.conf), like V(ndots:2).
      - Without it a container that gets the host's name servers gets its options, too.
    type: list
    elements: str
  extra_hosts:
    description:
      - Names for the container's C(/etc/hosts), each with an address or a list of addresses.
      - V(host-gateway) stands for the addresses by which the container reaches its host.
    type: dict
    default: {}
  pool4:
    description:
      - The IPv4 network that containers' addresses come from; its first address is the host's.
      - It must overlap no network of the host.
      - Default is C(pool4) in C(/etc/conductor/conductor.json), else V(10.87.0.0/16).
    type: str
  pool6:
    description:
      - As O(pool4) for IPv6. Default V(fd87:c04d:c70::/64).
    type: str
  forwarding:
    description:
      - A host that routes for containers must forward packets.
      - V(enable) switches on C(net.ipv4.ip_forward) and C(net.ipv6.conf.all.forwarding) if they are off, and sets
        C(accept_ra=2) on interfaces that learned their default route from a router, as the kernel would drop it.
        Rules of the firewall and of routing keep the host from forwarding anything but containers' packets then.
        Both go with the last network. The value is 2 or 3, by which the modules know that it is theirs; who writes 1
        takes forwarding over, and the next run removes the rules.
      - V(require) fails where they are off.
      - Starting a container follows C(forwarding) in C(/etc/conductor/conductor.json), else V(enable).
    type: str
    choices: [enable, require]
seealso:
  - module: conductor.containers.conductor_peer
  - module: conductor.containers.conductor_network_info
"""

EXAMPLES = r"""
- name: Host and container reach each other, and nothing beyond
  conductor.containers.conductor_network:
    container: db

- name: A web server on port 80 of the host that may also fetch updates
  conductor.containers.conductor_network:
    container: web
    internet: true
    expose:
      - 8080-80
      - container_port: 5000-5010
        host_port: 6000-6010
        protocol: udp
        host_ip: 192.0.2.10

- name: Repair the networks of all containers
  conductor.containers.conductor_network:
    state: reconciled
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["write the network of web", "connect web by cdtr-8a5edab282", "write the firewall table inet conductor"]
network:
  description: The container's network; null where it has none. In check mode the one it had.
  returned: success, and O(state) is not V(reconciled)
  type: dict
  sample:
    container: web
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
blocked_by:
  description: Chains of other firewalls on the host that may drop the container's packets all the same.
  returned: success
  type: list
  elements: str
  sample: ["ip filter FORWARD (policy drop)"]
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module(
        {
            "container": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent", "reconciled"], "default": "present"},
            "internet": {"type": "bool", "default": False},
            "interface": {"type": "str"},
            "expose": {"type": "list", "elements": "raw", "default": []},
            "host_access": {"type": "bool", "default": True},
            "metadata": {"type": "bool", "default": False},
            "ipv4": {"type": "str"},
            "ipv6": {"type": "str"},
            "mac": {"type": "str"},
            "mtu": {"type": "int", "default": 1500},
            "dns": {"type": "list", "elements": "str"},
            "dns_search": {"type": "list", "elements": "str"},
            "dns_options": {"type": "list", "elements": "str"},
            "extra_hosts": {"type": "dict", "default": {}},
            "pool4": {"type": "str"},
            "pool6": {"type": "str"},
            "forwarding": {"type": "str", "choices": ["enable", "require"]},
        },
        "_network.use_case:build",
        required_if=[("state", "present", ["container"]), ("state", "absent", ["container"])],
    )


if __name__ == "__main__":
    main()
