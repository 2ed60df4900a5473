# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of conductor_network as users write them. options.py parses them."""

from __future__ import annotations

from collections.abc import Mapping

from ..._engine.option import Option

MODULE_OPTIONS: Mapping[str, Option] = {
    "container": Option("str", ("Name of the container. Required unless O(state=reconciled).",)),
    "state": Option(
        "str",
        (
            "V(present) gives the container this network, and repairs missing parts of it on the host.",
            "V(absent) removes the container's network.",
            "V(reconciled) repairs the networks of all containers of the host according to their stored options, "
            "after the firewall was flushed or an interface was deleted.",
        ),
        choices=("present", "absent", "reconciled"),
        default="present",
    ),
    "internet": Option(
        "bool",
        (
            "Allow the container to reach the Internet with the host's address (NAT).",
            "This covers all destinations behind the uplinks, the host's interfaces with a default route. The "
            "list of uplinks is updated on each run; use O(state=reconciled) to follow changes.",
            "Networks behind other interfaces of the host, such as those of virtual machines or of containers of "
            "other programs, are not reachable. Set O(uplink) to reach one of them instead.",
            "Other hosts cannot open connections to the container through it.",
            "Link-local addresses (169.254.0.0/16) and the metadata services of clouds are not reachable, see "
            "O(metadata).",
        ),
        default=False,
    ),
    "uplink": Option(
        "str",
        (
            "Interface of the host to use as the uplink of the container, with O(internet=true).",
            "Defaults to every interface that has a default route.",
        ),
    ),
    "expose": Option(
        "list",
        (
            "Ports of the container to expose on the host, with the container port first, unlike C(-p) of docker "
            "and podman.",
            "A string is V(CONTAINER_PORT-HOST_PORT). V(8080-80) exposes container port 8080 on host port 80. "
            "Append V(/udp) for UDP.",
            "A string such as V(10000-10100:10000-10100) exposes a range of ports on the same host ports. Both "
            "sides must be equal, since other programs have the host ports first. Use a dictionary for different "
            "ports.",
            "The module warns about a string such as V(10000-20000/udp), which exposes one port but looks like a "
            "range.",
            "A dictionary has the keys V(container_port), V(host_port) (defaults to the container port), "
            "V(protocol) (V(tcp) or V(udp), defaults to V(tcp)) and V(host_ip) (an address of the host, defaults "
            "to all addresses).",
            "V(container_port) and V(host_port) may be ranges of equal length such as V(8000-8010). A range with "
            "different host ports has at most 1024 ports. Other ranges have no limit.",
            "Exposed ports are reachable from other hosts, from the host itself (also as V(localhost)), and from "
            "other containers that have O(host_access).",
        ),
        elements="raw",
        default=[],
    ),
    "host_access": Option(
        "bool",
        (
            "Allow the container to reach services of the host, and ports that the host exposes.",
            "V(false) drops all packets of connections that the container opens to any address of the host, with "
            "any protocol. This includes ping and name servers on the host; set O(dns) to use others.",
            "Connections that the host opens keep working. So does neighbor discovery, which every link needs.",
            "The host always reaches the container.",
        ),
        default=True,
    ),
    "metadata": Option(
        "bool",
        (
            "Allow the container to reach the metadata services of clouds, such as V(169.254.169.254) and "
            "V(fd00:ec2::254).",
            "These services return the credentials of the machine to every program on it. A request from the "
            "container is treated as one from the host.",
            "Only the addresses of metadata services become reachable, through the paths that O(internet) and "
            "O(host_access) allow. Other addresses of 169.254.0.0/16 stay blocked, since no router forwards them "
            "(RFC 3927).",
            "Name servers on such addresses, which some clouds have, are always reachable.",
        ),
        default=False,
    ),
    "ipv4": Option(
        "str",
        (
            "IPv4 address of the container, inside O(pool4).",
            "Defaults to the current address, or to a free one if the container has none.",
        ),
    ),
    "ipv6": Option(
        "str",
        (
            "IPv6 address of the container, inside O(pool6).",
            "Defaults to the current address, or to a free one if the container has none.",
        ),
    ),
    "mac": Option(
        "str",
        (
            "MAC address of the container.",
            "Defaults to an address that is derived from the container.",
        ),
    ),
    "mtu": Option("int", ("Size of the largest packet in bytes, 1280 to 65535.",), default=1500),
    "dns": Option(
        "list",
        (
            "Addresses of name servers for the container's C(/etc/resolv.conf).",
            "If not set, a container with O(internet=true) gets the host's name servers, search domains and "
            "options. Name servers that it cannot reach are left out with a warning. Other containers keep their "
            "C(/etc/resolv.conf).",
            "RV(network) has the effective list of name servers as C(dns).",
            "The module manages a block between C(# BEGIN conductor) and C(# END conductor) in "
            "C(/etc/resolv.conf) and C(/etc/hosts). All other lines belong to the container, but a C(resolv.conf) "
            "without such a block is replaced.",
        ),
        elements="str",
    ),
    "dns_search": Option(
        "list",
        (
            "Search domains for the container's C(/etc/resolv.conf).",
            "If not set, a container that gets the host's name servers also gets the host's search domains.",
        ),
        elements="str",
    ),
    "dns_options": Option(
        "list",
        (
            "Options for the container's C(/etc/resolv.conf), such as V(ndots:2).",
            "If not set, a container that gets the host's name servers also gets the host's options.",
        ),
        elements="str",
    ),
    "extra_hosts": Option(
        "dict",
        (
            "Host names for the container's C(/etc/hosts), each with an address or a list of addresses.",
            "V(host-gateway) stands for the addresses of the host on the container's link.",
        ),
        default={},
    ),
    "pool4": Option(
        "str",
        (
            "IPv4 network for the addresses of containers. Its first address is the host's.",
            "It must not overlap a network of the host.",
            "Defaults to C(pool4) in C(/etc/conductor/conductor.json), or else to V(10.87.0.0/16).",
        ),
    ),
    "pool6": Option(
        "str",
        (
            "IPv6 network for the addresses of containers, with the same rules as O(pool4).",
            "Defaults to C(pool6) in C(/etc/conductor/conductor.json), or else to V(fd87:c04d:c70::/64).",
        ),
    ),
    "forwarding": Option(
        "str",
        (
            "Policy for IP forwarding on the host, which containers need.",
            "V(enable) enables C(net.ipv4.ip_forward) and C(net.ipv6.conf.all.forwarding) if they are off. It "
            "also sets C(accept_ra=2) on interfaces that learned their default route from a router advertisement, "
            "since the kernel would drop that route.",
            "Firewall rules and routing rules then keep the host from forwarding packets of others. Forwarding is "
            "disabled, and these rules are removed, with the last network.",
            "The modules write the value 2 or 3 to recognize their own setting. A program that writes 1 takes "
            "forwarding over, and the next run removes the rules.",
            "V(require) fails if forwarding is off.",
            "Starting a container follows C(forwarding) in C(/etc/conductor/conductor.json), which defaults to "
            "V(enable).",
        ),
        choices=("enable", "require"),
    ),
}
# The network of a container in place, as an option of the container.
IN_PLACE: Mapping[str, Option] = {
    name: option for name, option in MODULE_OPTIONS.items() if name not in ("container", "state", "forwarding")
}
# An entry of the option peers of a container.
PEER: Mapping[str, Option] = {
    "peer": Option("str", ("Name of the other container.",), required=True),
    "ports": Option("list", ("Ports of the peer, such as V(5432/tcp). Defaults to every port.",), elements="str"),
    "direction": Option(
        "str",
        ("V(to) allows this container to call the peer. V(both) allows the reverse, too.",),
        choices=("to", "both"),
        default="to",
    ),
}
