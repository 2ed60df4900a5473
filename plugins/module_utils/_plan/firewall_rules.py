# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the table `inet conductor`, and the sets and maps that they look things up in. Pure.

They never change; who may do what stands in the sets and maps. So a packet costs the same and an update costs the same,
however many containers there are. Written as libnftables-json(5). Numbers stand for protocols, for a host without
/etc/protocols knows no names.
"""

from __future__ import annotations

from collections.abc import Mapping

from .._model.network import LINK_PREFIX
from .metadata_addresses import LINK_LOCAL4, METADATA4, METADATA6

# The host end of any container's veth pair.
OURS = LINK_PREFIX + "*"
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
DNS = 53

# name: (key type, value type or None, flags). A key of the first lists what the rules below look up.
SETS: Mapping[str, tuple[tuple[str, ...], str | None, tuple[str, ...]]] = {
    "source4": (("ifname", "ipv4_addr"), None, ()),
    "source6": (("ifname", "ipv6_addr"), None, ()),
    "host_access": (("ifname",), None, ()),
    "metadata": (("ifname",), None, ()),
    "internet": (("ifname",), None, ()),
    "internet_by": (("ifname", "ifname"), None, ()),
    "peer": (("ifname", "ifname"), None, ()),
    "peer_port": (("ifname", "ifname", "inet_proto", "inet_service"), None, ("interval",)),
    "exposed": (("ifname", "inet_proto", "inet_service"), None, ("interval",)),
    "self": (("ifname", "ifname"), None, ()),
    # Ports of the host to addresses of containers; those to other ports, one by one, have an entry in a second map.
    "expose4": (("inet_proto", "inet_service"), "ipv4_addr", ("interval",)),
    "expose4_port": (("inet_proto", "inet_service"), "inet_service", ()),
    "expose4_on": (("ipv4_addr", "inet_proto", "inet_service"), "ipv4_addr", ("interval",)),
    "expose4_on_port": (("ipv4_addr", "inet_proto", "inet_service"), "inet_service", ()),
    "expose6": (("inet_proto", "inet_service"), "ipv6_addr", ("interval",)),
    "expose6_port": (("inet_proto", "inet_service"), "inet_service", ()),
    "expose6_on": (("ipv6_addr", "inet_proto", "inet_service"), "ipv6_addr", ("interval",)),
    "expose6_on_port": (("ipv6_addr", "inet_proto", "inet_service"), "inet_service", ()),
}


def _meta(key: str) -> dict:
    return {"meta": {"key": key}}


def _payload(protocol: str, name: str) -> dict:
    return {"payload": {"protocol": protocol, "field": name}}


def _ct(key: str) -> dict:
    return {"ct": {"key": key}}


def _is(left: object, right: object, op: str = "==") -> dict:
    return {"match": {"op": op, "left": left, "right": right}}


def _in(name: str, *parts: object) -> dict:
    return _is(parts[0] if len(parts) == 1 else {"concat": list(parts)}, f"@{name}")


def _not_in(name: str, part: object) -> dict:
    return _is(part, f"@{name}", "!=")


def _any_of(*values: object) -> dict:
    return {"set": list(values)}


IIF, OIF, L4, SPORT, DPORT = (
    _meta("iifname"),
    _meta("oifname"),
    _meta("l4proto"),
    _payload("th", "sport"),
    _payload("th", "dport"),
)
FROM_OURS, TO_OURS, NOT_FROM_OURS, NOT_TO_OURS = (
    _is(IIF, OURS),
    _is(OIF, OURS),
    _is(IIF, OURS, "!="),
    _is(OIF, OURS, "!="),
)
HAS_PORTS = _is(L4, _any_of(TCP, UDP))
REPLY, ORIGINAL = _is(_ct("direction"), "reply"), _is(_ct("direction"), "original")
DNATED = _is(_ct("status"), "dnat", "in")
TO_THIS_HOST = _is({"fib": {"result": "type", "flags": ["daddr"]}}, "local")
ACCEPT, DROP = {"accept": None}, {"drop": None}
# Neighbour discovery (RFC 4861), without which neither end of a link finds the other.
NEIGHBOURS = _is(_payload("icmpv6", "type"), _any_of("nd-neighbor-solicit", "nd-neighbor-advert"))


def _jump(chain: str) -> dict:
    return {"jump": {"target": chain}}


def _dnat(version: int) -> list[list[dict]]:
    """Exposed ports on one address of the host, then on any; of both first those that lead to another port.

    A rule whose map lacks the key does not match, and the next one is asked.
    """
    ip = "ip" if version == 4 else "ip6"
    rules = []
    for suffix, key in (("_on", [_payload(ip, "daddr"), L4, DPORT]), ("", [L4, DPORT])):
        name = f"expose{version}{suffix}"
        concat = {"concat": key}
        same = {"family": ip, "addr": {"map": {"key": concat, "data": f"@{name}"}}}
        other = {**same, "port": {"map": {"key": concat, "data": f"@{name}_port"}}}
        this = _is(_meta("nfproto"), "ipv4" if version == 4 else "ipv6")
        rules += [[this, HAS_PORTS, {"dnat": to}] for to in (other, same)]
    return rules


# chain: (base chain's type, hook and priority, or None; its rules). Policies are accept: others' packets pass.
CHAINS: Mapping[str, tuple[tuple[str, str, int] | None, list[list[dict]]]] = {
    # Before connection tracking: a forged packet leaves no trace.
    "antispoof": (
        ("filter", "prerouting", -300),
        [
            [FROM_OURS, _jump("from_container")],
        ],
    ),
    "from_container": (
        None,
        [
            # The host ends route packets for 127.0.0.0/8 (route_localnet), which replies to localhost need.
            [_is(_payload("ip", "daddr"), {"prefix": {"addr": "127.0.0.0", "len": 8}}), DROP],
            [_in("source4", IIF, _payload("ip", "saddr")), ACCEPT],
            [_in("source6", IIF, _payload("ip6", "saddr")), ACCEPT],
            # Neighbour discovery speaks from link-local addresses; it never leaves the link.
            [
                _is(_payload("ip6", "saddr"), {"prefix": {"addr": "fe80::", "len": 10}}),
                NEIGHBOURS,
                ACCEPT,
            ],
            [DROP],
        ],
    ),
    # Between connection tracking (-200) and whoever translates destinations (-100): so one look at a packet is enough
    # for a service that is routed, one on an address of the host, and one that somebody's rules lead to a proxy.
    "to_metadata": (
        ("filter", "prerouting", -150),
        [
            [NOT_FROM_OURS, ACCEPT],
            # Azure's load balancer asks exposed ports from such an address.
            [REPLY, ACCEPT],
            [_in("metadata", IIF), _is(_payload("ip", "daddr"), _any_of(*METADATA4)), ACCEPT],
            [_in("metadata", IIF), _is(_payload("ip6", "daddr"), _any_of(*METADATA6)), ACCEPT],
            # On some clouds the same address is the only name server.
            [HAS_PORTS, _is(DPORT, DNS), ACCEPT],
            [_is(_payload("ip", "daddr"), LINK_LOCAL4), DROP],
            [_is(_payload("ip", "daddr"), _any_of(*METADATA4)), DROP],
            [_is(_payload("ip6", "daddr"), _any_of(*METADATA6)), DROP],
        ],
    ),
    "outside_dnat": (
        ("nat", "prerouting", -100),
        [
            # Who may not reach the host does not reach what the host exposes either.
            [FROM_OURS, _not_in("host_access", IIF), ACCEPT],
            [TO_THIS_HOST, _jump("exposed_ports")],
        ],
    ),
    "host_dnat": (("nat", "output", -100), [[TO_THIS_HOST, _jump("exposed_ports")]]),
    "exposed_ports": (None, _dnat(4) + _dnat(6)),
    "masquerade": (
        ("nat", "postrouting", 100),
        [
            # A container cannot answer 127.0.0.1 or ::1, nor a packet that comes from itself: the gateway asks instead.
            [TO_OURS, _is(_payload("ip", "saddr"), {"prefix": {"addr": "127.0.0.0", "len": 8}}), {"masquerade": None}],
            [TO_OURS, _is(_payload("ip6", "saddr"), "::1"), {"masquerade": None}],
            [_in("self", IIF, OIF), {"masquerade": None}],
            [NOT_TO_OURS, _in("internet", IIF), {"masquerade": None}],
            [_in("internet_by", IIF, OIF), {"masquerade": None}],
        ],
    ),
    # Every packet is judged by the sets, those of running connections too: what is forbidden now ends now.
    "forward": (
        ("filter", "forward", 0),
        [
            [FROM_OURS, _jump("through")],
            [TO_OURS, _jump("through")],
        ],
    ),
    "through": (
        None,
        [
            # ICMP errors about connections that were allowed.
            [_is(_ct("state"), "related", "in"), _is(L4, _any_of(ICMP, ICMP6)), ACCEPT],
            [_is(_ct("state"), "invalid", "in"), DROP],
            [REPLY, _jump("reply")],
            [NOT_TO_OURS, _in("internet", IIF), ACCEPT],
            [_in("internet_by", IIF, OIF), ACCEPT],
            [_in("peer", IIF, OIF), ACCEPT],
            [HAS_PORTS, _in("peer_port", IIF, OIF, L4, DPORT), ACCEPT],
            [DNATED, HAS_PORTS, _in("exposed", OIF, L4, DPORT), ACCEPT],
            [DROP],
        ],
    ),
    "reply": (
        None,
        [
            [NOT_FROM_OURS, _in("internet", OIF), ACCEPT],
            [_in("internet_by", OIF, IIF), ACCEPT],
            [_in("peer", OIF, IIF), ACCEPT],
            [HAS_PORTS, _in("peer_port", OIF, IIF, L4, SPORT), ACCEPT],
            [DNATED, HAS_PORTS, _in("exposed", IIF, L4, SPORT), ACCEPT],
            [DROP],
        ],
    ),
    "input": (
        ("filter", "input", 0),
        [
            [NOT_FROM_OURS, ACCEPT],
            [_in("host_access", IIF), ACCEPT],
            [NEIGHBOURS, ACCEPT],
            # ICMP errors about what the host began have this direction, too.
            [REPLY, ACCEPT],
            [DROP],
        ],
    ),
}
