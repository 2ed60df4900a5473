#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_network
short_description: Connect a container to its host, the Internet and other hosts
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Gives a container a network of its own, a routed veth pair to the host with an IPv4 and an IPv6 address.
  - Host and container reach each other, and nothing else, until O(internet), O(expose) or
    M(conductor.containers.conductor_peer) allow more.
  - The options describe the whole network. An option that is not set is reset to its default. Only the container's
    addresses and its peers, which M(conductor.containers.conductor_peer) manages, are kept.
  - Takes effect on a running container at once, is kept when the container is restarted, and is removed with it.
  - All rules are in two nftables tables, C(inet conductor) and C(netdev conductor). No other table is changed.
  - A base chain of another firewall that drops forwarded packets also drops packets of containers. RV(blocked_by) lists
    such chains.
  - If C(firewall) is V(accept) in C(/etc/conductor/conductor.json), two rules at the end of such a chain accept packets
    of containers, until the last network is removed. Packets that the other rules of the chain drop stay dropped, and
    the tables of this collection have checked the same packets before. A chain that calls another chain with rules of
    its own for this, and a table that another program owns, are not changed. They stay in RV(blocked_by).
  - If the tables are flushed or deleted, no packet passes between a container and anything else, its host included,
    until O(state=reconciled) or any other run repairs them.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  container:
    description: Name of the container. Required unless O(state=reconciled).
    type: str
  state:
    description:
      - V(present) gives the container this network, and repairs missing parts of it on the host.
      - V(absent) removes the container's network.
      - V(reconciled) repairs the networks of all containers of the host according to their stored
        options, after the firewall was flushed or an interface was deleted.
    type: str
    default: present
    choices:
      - present
      - absent
      - reconciled
  internet:
    description:
      - Allow the container to reach the Internet with the host's address (NAT).
      - This covers all destinations behind the uplinks, the host's interfaces with a default route.
        The list of uplinks is updated on each run; use O(state=reconciled) to follow changes.
      - Networks behind other interfaces of the host, such as those of virtual machines or of containers
        of other programs, are not reachable. Set O(uplink) to reach one of them instead.
      - Other hosts cannot open connections to the container through it.
      - Link-local addresses (169.254.0.0/16) and the metadata services of clouds are not reachable,
        see O(metadata).
    type: bool
    default: false
  uplink:
    description:
      - Interface of the host to use as the uplink of the container, with O(internet=true).
      - Defaults to every interface that has a default route.
    type: str
  expose:
    description:
      - Ports of the container to expose on the host, with the container port first, unlike C(-p)
        of docker and podman.
      - A string is V(CONTAINER_PORT-HOST_PORT). V(8080-80) exposes container port 8080 on host
        port 80. Append V(/udp) for UDP.
      - A string such as V(10000-10100:10000-10100) exposes a range of ports on the same host ports.
        Both sides must be equal, since other programs have the host ports first. Use a dictionary
        for different ports.
      - The module warns about a string such as V(10000-20000/udp), which exposes one port but looks
        like a range.
      - A dictionary has the keys V(container_port), V(host_port) (defaults to the container port),
        V(protocol) (V(tcp) or V(udp), defaults to V(tcp)) and V(host_ip) (an address of the host,
        defaults to all addresses).
      - V(container_port) and V(host_port) may be ranges of equal length such as V(8000-8010). A
        range with different host ports has at most 1024 ports. Other ranges have no limit.
      - Exposed ports are reachable from other hosts, from the host itself (also as V(localhost)),
        and from other containers that have O(host_access).
    type: list
    elements: raw
    default: []
  host_access:
    description:
      - Allow the container to reach services of the host, and ports that the host exposes.
      - V(false) drops all packets of connections that the container opens to any address of the
        host, with any protocol. This includes ping and name servers on the host; set O(dns) to
        use others.
      - Connections that the host opens keep working. So does neighbor discovery, which every link
        needs.
      - The host always reaches the container.
    type: bool
    default: true
  metadata:
    description:
      - Allow the container to reach the metadata services of clouds, such as V(169.254.169.254)
        and V(fd00:ec2::254).
      - These services return the credentials of the machine to every program on it. A request from
        the container is treated as one from the host.
      - Only the addresses of metadata services become reachable, through the paths that O(internet)
        and O(host_access) allow. Other addresses of 169.254.0.0/16 stay blocked, since no router
        forwards them (RFC 3927).
      - Name servers on such addresses, which some clouds have, are always reachable.
    type: bool
    default: false
  ipv4:
    description:
      - IPv4 address of the container, inside O(pool4).
      - Defaults to the current address, or to a free one if the container has none.
    type: str
  ipv6:
    description:
      - IPv6 address of the container, inside O(pool6).
      - Defaults to the current address, or to a free one if the container has none.
    type: str
  mac:
    description:
      - MAC address of the container.
      - Defaults to an address that is derived from the container.
    type: str
  mtu:
    description: Size of the largest packet in bytes, 1280 to 65535.
    type: int
    default: 1500
  dns:
    description:
      - Addresses of name servers for the container's C(/etc/resolv.conf).
      - If not set, a container with O(internet=true) gets the host's name servers, search domains
        and options. Name servers that it cannot reach are left out with a warning. Other containers
        keep their C(/etc/resolv.conf).
      - RV(network) has the effective list of name servers as C(dns).
      - The module manages a block between C(# BEGIN conductor) and C(# END conductor) in C(/etc/resolv.conf)
        and C(/etc/hosts). All other lines belong to the container, but a C(resolv.conf) without
        such a block is replaced.
    type: list
    elements: str
  dns_search:
    description:
      - Search domains for the container's C(/etc/resolv.conf).
      - If not set, a container that gets the host's name servers also gets the host's search domains.
    type: list
    elements: str
  dns_options:
    description:
      - Options for the container's C(/etc/resolv.conf), such as V(ndots:2).
      - If not set, a container that gets the host's name servers also gets the host's options.
    type: list
    elements: str
  extra_hosts:
    description:
      - Host names for the container's C(/etc/hosts), each with an address or a list of addresses.
      - V(host-gateway) stands for the addresses of the host on the container's link.
    type: dict
    default: {}
  pool4:
    description:
      - IPv4 network for the addresses of containers. Its first address is the host's.
      - It must not overlap a network of the host.
      - Defaults to C(pool4) in C(/etc/conductor/conductor.json), or else to V(10.87.0.0/16).
    type: str
  pool6:
    description:
      - IPv6 network for the addresses of containers, with the same rules as O(pool4).
      - Defaults to C(pool6) in C(/etc/conductor/conductor.json), or else to V(fd87:c04d:c70::/64).
    type: str
  forwarding:
    description:
      - Policy for IP forwarding on the host, which containers need.
      - V(enable) enables C(net.ipv4.ip_forward) and C(net.ipv6.conf.all.forwarding) if they are
        off. It also sets C(accept_ra=2) on interfaces that learned their default route from a router
        advertisement, since the kernel would drop that route.
      - Firewall rules and routing rules then keep the host from forwarding packets of others. Forwarding
        is disabled, and these rules are removed, with the last network.
      - The modules write the value 2 or 3 to recognize their own setting. A program that writes
        1 takes forwarding over, and the next run removes the rules.
      - V(require) fails if forwarding is off.
      - Starting a container follows C(forwarding) in C(/etc/conductor/conductor.json), which defaults
        to V(enable).
    type: str
    choices:
      - enable
      - require
seealso:
  - module: conductor.containers.conductor_peer
  - module: conductor.containers.conductor_network_info
"""

EXAMPLES = r"""
- name: Connect a container to its host only
  conductor.containers.conductor_network:
    container: db

- name: Expose a web server on host port 80, with Internet access
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
  description: Actions that were done, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["write the network of web", "connect web by cdtr-8a5edab282", "write the firewall table inet conductor"]
network:
  description: The container's network, or null if it has none. In check mode, the network before the run.
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
    link: cdtr-8a5edab282
    attached: true
blocked_by:
  description: Chains of other firewalls on the host that may drop the container's packets regardless of the options.
  returned: success
  type: list
  elements: str
  sample: ["ip filter FORWARD (policy drop)"]
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module

# Generated by script/generate, from module_utils/_network/spec.
ARGUMENT_SPEC = {
    "container": {"type": "str"},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent", "reconciled"]},
    "internet": {"type": "bool", "default": False},
    "uplink": {"type": "str"},
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
}
# End of the generated part.


def main() -> None:
    run_module(
        ARGUMENT_SPEC,
        "_network.use_case:build",
        required_if=[("state", "present", ["container"]), ("state", "absent", ["container"])],
    )


if __name__ == "__main__":
    main()
