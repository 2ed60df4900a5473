# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules, sets and maps of the nftables tables `inet conductor` and `netdev conductor`. Pure.

The rules never change, except for the limit of connections, which depends on the host; permissions are elements of the
sets and maps. So the cost of a packet and the cost of an update do not depend on the number of containers. The format
is libnftables-json(5). Protocols are numbers, since a host without /etc/protocols knows no names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..spec.network import LINK_PREFIX
from .metadata_addresses import LINK_LOCAL4, METADATA4, METADATA6
from .veth import INNER_LINK_LOCAL

# Matches the host end of every container's veth pair.
OURS = LINK_PREFIX + "*"
TCP, UDP, ICMP, ICMP6, FRAGMENT6 = 6, 17, 1, 58, 44
DNS = 53
# The guard of each link passes only packets with exactly this mark, which the last chain sets on packets to a
# container. No other program sees it: the link is ours, and the kernel clears marks between network namespaces.
TO_CONTAINER_MARK = 0x63647472
# Limit of open connections that one container has opened; closed connections do not count (nf_conncount).
MOST_CONNECTIONS = 8192
# It is no more than this part of the host's connection tracking table.
_PART_OF_TABLE = 8
LIMITS = "limits"
# The kernel creates this set for a rule; newer releases of nft list it among the sets.
METER = "connections"

# name: (key type, value type or None, flags). If a key has several types, rules look up their concatenation.
SETS: Mapping[str, tuple[tuple[str, ...], str | None, tuple[str, ...]]] = {
    "source4": (("ifname", "ipv4_addr"), None, ()),
    "source6": (("ifname", "ipv6_addr"), None, ()),
    # Addresses of containers: packets to them reach their container or are dropped.
    "address4": (("ipv4_addr",), None, ()),
    "address6": (("ipv6_addr",), None, ()),
    # Interfaces between which nothing is forwarded, since forwarding is enabled for containers only.
    "fenced4": (("ifname",), None, ()),
    "fenced6": (("ifname",), None, ()),
    "host_access": (("ifname",), None, ()),
    "metadata": (("ifname",), None, ()),
    "internet": (("ifname",), None, ()),
    # Uplinks: interfaces of the host with a default route.
    "uplink": (("ifname",), None, ()),
    "internet_by": (("ifname", "ifname"), None, ()),
    "peer": (("ifname", "ifname"), None, ()),
    # Single ports and ranges are apart: each packet is looked up, and a set of intervals is slower the more it has.
    "peer_port": (("ifname", "ifname", "inet_proto", "inet_service"), None, ()),
    "peer_range": (("ifname", "ifname", "inet_proto", "inet_service"), None, ("interval",)),
    "exposed": (("ifname", "inet_proto", "inet_service"), None, ()),
    "exposed_range": (("ifname", "inet_proto", "inet_service"), None, ("interval",)),
    "self": (("ifname", "ifname"), None, ()),
    # Host ports to container addresses. A port that leads to another container port also has an entry in the second
    # map.
    "expose4": (("inet_proto", "inet_service"), "ipv4_addr", ("interval",)),
    "expose4_port": (("inet_proto", "inet_service"), "inet_service", ()),
    "expose4_on": (("ipv4_addr", "inet_proto", "inet_service"), "ipv4_addr", ("interval",)),
    "expose4_on_port": (("ipv4_addr", "inet_proto", "inet_service"), "inet_service", ()),
    "expose6": (("inet_proto", "inet_service"), "ipv6_addr", ("interval",)),
    "expose6_port": (("inet_proto", "inet_service"), "inet_service", ()),
    "expose6_on": (("ipv6_addr", "inet_proto", "inet_service"), "ipv6_addr", ("interval",)),
    "expose6_on_port": (("ipv6_addr", "inet_proto", "inet_service"), "inet_service", ()),
    # Addresses that a container may call as a peer, to those of the containers that stand in for these peers.
    "stand_in4": (("ifname", "ipv4_addr"), "ipv4_addr", ()),
    "stand_in4_port": (("ifname", "ipv4_addr", "inet_proto", "inet_service"), "ipv4_addr", ("interval",)),
    "stand_in6": (("ifname", "ipv6_addr"), "ipv6_addr", ()),
    "stand_in6_port": (("ifname", "ipv6_addr", "inet_proto", "inet_service"), "ipv6_addr", ("interval",)),
}

# Sets of the table `netdev conductor`.
INGRESS_SETS: Mapping[str, tuple[tuple[str, ...], str | None, tuple[str, ...]]] = {
    "own4": (("ifname", "ipv4_addr"), None, ()),
    "own6": (("ifname", "ipv6_addr"), None, ()),
}


def _meta(key: str) -> dict[str, Any]:
    return {"meta": {"key": key}}


def _payload(protocol: str, name: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": name}}


def _ct(key: str, direction: str | None = None) -> dict[str, Any]:
    return {"ct": {"key": key, **({"dir": direction} if direction else {})}}


def _set_meta(key: str, value: object) -> dict[str, Any]:
    return {"mangle": {"key": _meta(key), "value": value}}


def _is(left: object, right: object, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def _in(name: str, *parts: object) -> dict[str, Any]:
    return _is(parts[0] if len(parts) == 1 else {"concat": list(parts)}, f"@{name}")


def _not_in(name: str, part: object) -> dict[str, Any]:
    return _is(part, f"@{name}", "!=")


def _any_of(*values: object) -> dict[str, Any]:
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
ACCEPT, DROP, RETURN = {"accept": None}, {"drop": None}, {"return": None}
# Neighbor discovery (RFC 4861): without it the two ends of a link do not find each other.
NEIGHBOURS = _is(_payload("icmpv6", "type"), _any_of("nd-neighbor-solicit", "nd-neighbor-advert"))


def _jump(chain: str) -> dict[str, Any]:
    return {"jump": {"target": chain}}


def _dnat(version: int) -> list[list[dict[str, Any]]]:
    """Return the rules for exposed ports: on one address of the host first, then on any address.

    For each, ports that lead to another container port come first. A rule whose map lacks the key does not match, and
    the next rule is tried.
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


def _to_stand_in(version: int) -> list[list[dict[str, Any]]]:
    """Return the rules that lead a peer's new connections to the container that stands in for the called one.

    They match only what the peer may call, so that an exposed port is not reached without that permission.
    """
    ip = "ip" if version == 4 else "ip6"
    this = _is(_meta("nfproto"), "ipv4" if version == 4 else "ipv6")
    key = [IIF, _payload(ip, "daddr")]
    return [
        [this, *ports, {"dnat": {"family": ip, "addr": {"map": {"key": {"concat": parts}, "data": f"@{name}"}}}}]
        for name, parts, ports in (
            (f"stand_in{version}_port", [*key, L4, DPORT], [HAS_PORTS]),
            (f"stand_in{version}", key, []),
        )
    ]


RELATED = [_is(_ct("state"), "related", "in"), _is(L4, _any_of(ICMP, ICMP6))]
INVALID = _is(_ct("state"), "invalid", "in")
NFPROTO4, NFPROTO6 = _is(_meta("nfproto"), "ipv4"), _is(_meta("nfproto"), "ipv6")


def _is_party(interface: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return rules that return for packets of a connection that the container at `interface` opened or accepted."""
    return [
        [_in(f"source{version}", interface, _ct(f"{ip} saddr", direction)), RETURN]
        for version, ip in ((4, "ip"), (6, "ip6"))
        for direction in ("original", "reply")
    ]


def connection_limit(table_size: int) -> int:
    """Return the limit for each container on a host that tracks at most `table_size` connections, 0 for no limit."""
    return max(1, min(MOST_CONNECTIONS, table_size // _PART_OF_TABLE)) if table_size else MOST_CONNECTIONS


def limit_rule(most: int) -> list[dict[str, Any]]:
    """Return the rule that drops packets that open more than `most` connections of a container."""
    count = {"ct count": {"val": most, "inv": True}}
    return [FROM_OURS, _is(_ct("state"), "new", "in"), {"meter": {"name": METER, "key": IIF, "stmt": count}}, DROP]


# The chain of the table `netdev conductor` that each link's own chain goes to, before defragmentation and connection
# tracking. The guard has marked the packet as for another host; an admitted packet becomes a broadcast, which the
# kernel neither forwards nor takes for TCP, and its protocol or fragment offset is hidden, so that the kernel takes it
# for nothing else either: the last fragment of an IPv4 packet without a first one, or an IPv6 packet of an unknown
# protocol. Only the table `inet conductor` restores the packet: if either table is deleted, no packet passes. IPv4
# fields that the checksums of UDP and other protocols cover are not changed by name: nft would update those checksums,
# and not restore them.
FROM_LINK = "from_link"
_OFFSET = _payload("ip", "frag-off")
# The flags DF and MF, of packets and first fragments, stored at the largest offset that a packet can have.
_BEGINNINGS = [(flags, flags | 0x1FFD) for flags in (0, 0x4000, 0x2000, 0x6000)]
# Byte 6 of the header as raw data, so that only that byte is changed.
_NEXT_HEADER = {"payload": {"base": "nh", "offset": 48, "len": 8}}
_HIDDEN6 = [(number, number | 128) for number in (UDP, ICMP6, FRAGMENT6)]
_BY_IP6 = _payload("ip6", "nexthdr")


def _set(key: dict[str, Any], value: int) -> dict[str, Any]:
    return {"mangle": {"key": key, "value": value}}


HIDE: list[list[dict[str, Any]]] = [
    [_is(_payload("ip", "protocol"), TCP), RETURN],
    *([_is(_OFFSET, shown), _set(_OFFSET, hidden), RETURN] for shown, hidden in _BEGINNINGS),
    # The packet has the reserved flag, which no sender needs.
    [_is({"&": [_OFFSET, 0x1FFF]}, 0), DROP],
    *([_is(_BY_IP6, shown), _set(_NEXT_HEADER, hidden), RETURN] for shown, hidden in _HIDDEN6),
]
SHOW: list[list[dict[str, Any]]] = [
    [_is(_payload("ip", "protocol"), TCP), ACCEPT],
    *([_is(_OFFSET, hidden), _set(_OFFSET, shown), ACCEPT] for shown, hidden in _BEGINNINGS),
    *([_is(_BY_IP6, hidden), _set(_NEXT_HEADER, shown), ACCEPT] for shown, hidden in _HIDDEN6),
]
_ADMITTED = [_set_meta("pkttype", "broadcast"), {"goto": {"target": "hide"}}]
FROM_LINK_RULES: list[list[dict[str, Any]]] = [
    # The host end of a container that exposes ports routes 127.0.0.0/8 (route_localnet), for replies only.
    [_is(_payload("ip", "daddr"), {"prefix": {"addr": "127.0.0.0", "len": 8}}), DROP],
    [_in("own4", IIF, _payload("ip", "saddr")), *_ADMITTED],
    [_in("own6", IIF, _payload("ip6", "saddr")), *_ADMITTED],
    [_in("own4", IIF, _payload("arp", "saddr ip")), _set_meta("pkttype", "host"), ACCEPT],
    # Neighbor discovery uses the link-local address, which never leaves the link.
    [_is(_payload("ip6", "saddr"), INNER_LINK_LOCAL.partition("/")[0]), NEIGHBOURS, *_ADMITTED],
    [DROP],
]

# The rule that lets packets to containers through (chain to_link).
OPENING = [TO_OURS, _set_meta("mark", TO_CONTAINER_MARK), ACCEPT]

INGRESS_CHAINS: Mapping[str, list[list[dict[str, Any]]]] = {"hide": HIDE, FROM_LINK: FROM_LINK_RULES}

# chain: (base chain's type, hook and priority, or None; its rules). Policies are accept: others' packets pass.
# If somebody deletes the table, the kernel removes the chains in this order, one after the other, each with its rules
# until then (nf_tables_commit, net/netfilter/nf_tables_api.c). So those that let packets pass come before those that
# filter them.
CHAINS: Mapping[str, tuple[tuple[str, str, int] | None, list[list[dict[str, Any]]]]] = {
    # Before defragmentation (-400).
    "admit": (("filter", "prerouting", -450), [[NOT_FROM_OURS, ACCEPT], [_set_meta("pkttype", "host")], *SHOW]),
    # After all other programs that read marks.
    "to_link": (
        ("filter", "postrouting", 400),
        [
            OPENING,
            # While its link does not exist, a container's address must not be routed elsewhere.
            [_is(_payload("ip", "daddr"), "@address4"), DROP],
            [_is(_payload("ip6", "daddr"), "@address6"), DROP],
        ],
    ),
    # Right after connection tracking (-200), before the new connection is confirmed.
    LIMITS: (("filter", "prerouting", -190), [limit_rule(MOST_CONNECTIONS)]),
    # Between connection tracking (-200) and destination NAT (-100): one check covers a service that is routed, one on
    # an address of the host, and one that rules of another program redirect to a proxy.
    "to_metadata": (
        ("filter", "prerouting", -150),
        [
            [NOT_FROM_OURS, ACCEPT],
            # Azure's load balancer probes exposed ports from such an address.
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
            *_to_stand_in(4),
            *_to_stand_in(6),
            # A container without host_access does not reach exposed ports of the host either.
            [FROM_OURS, _not_in("host_access", IIF), ACCEPT],
            [TO_THIS_HOST, _jump("exposed_ports")],
        ],
    ),
    "host_dnat": (("nat", "output", -100), [[TO_THIS_HOST, _jump("exposed_ports")]]),
    "exposed_ports": (None, _dnat(4) + _dnat(6)),
    "masquerade": (
        ("nat", "postrouting", 100),
        [
            # A container cannot reply to 127.0.0.1, ::1 or its own address, so the packet gets the gateway's address.
            [TO_OURS, _is(_payload("ip", "saddr"), {"prefix": {"addr": "127.0.0.0", "len": 8}}), {"masquerade": None}],
            [TO_OURS, _is(_payload("ip6", "saddr"), "::1"), {"masquerade": None}],
            [_in("self", IIF, OIF), {"masquerade": None}],
            [_in("internet", IIF), _in("uplink", OIF), {"masquerade": None}],
            [_in("internet_by", IIF, OIF), {"masquerade": None}],
        ],
    ),
    "input": (
        ("filter", "input", 0),
        [
            [NOT_FROM_OURS, ACCEPT],
            [*RELATED, _jump("related_from")],
            [_is(L4, _any_of(ICMP, ICMP6)), INVALID, DROP],
            [_in("host_access", IIF), ACCEPT],
            [NEIGHBOURS, ACCEPT],
            [REPLY, ACCEPT],
            [DROP],
        ],
    ),
    # Every packet is checked, of established connections too: a removed permission takes effect at once. Before other
    # firewalls (0), which are asked to accept only packets that were accepted here.
    "forward": (
        ("filter", "forward", -10),
        [
            [FROM_OURS, _jump("through")],
            [TO_OURS, _jump("through")],
            [NFPROTO4, _in("fenced4", IIF), _in("fenced4", OIF), DROP],
            [NFPROTO6, _in("fenced6", IIF), _in("fenced6", OIF), DROP],
        ],
    ),
    "through": (
        None,
        [
            [*RELATED, _jump("related")],
            [INVALID, DROP],
            [REPLY, _jump("reply")],
            [_in("internet", IIF), _in("uplink", OIF), ACCEPT],
            [_in("internet_by", IIF, OIF), ACCEPT],
            [_in("peer", IIF, OIF), ACCEPT],
            [HAS_PORTS, _in("peer_port", IIF, OIF, L4, DPORT), ACCEPT],
            [DNATED, HAS_PORTS, _in("exposed", OIF, L4, DPORT), ACCEPT],
            [HAS_PORTS, _in("peer_range", IIF, OIF, L4, DPORT), ACCEPT],
            [DNATED, HAS_PORTS, _in("exposed_range", OIF, L4, DPORT), ACCEPT],
            [DROP],
        ],
    ),
    # ICMP errors must concern a connection of the container, not one that was forged about another connection.
    "related": (None, [[FROM_OURS, _jump("related_from")], [TO_OURS, _jump("related_to")], [ACCEPT]]),
    "related_from": (None, [*_is_party(IIF), [DROP]]),
    "related_to": (None, [*_is_party(OIF), [DROP]]),
    "reply": (
        None,
        [
            [_in("internet", OIF), _in("uplink", IIF), ACCEPT],
            [_in("internet_by", OIF, IIF), ACCEPT],
            [_in("peer", OIF, IIF), ACCEPT],
            [HAS_PORTS, _in("peer_port", OIF, IIF, L4, SPORT), ACCEPT],
            [DNATED, HAS_PORTS, _in("exposed", IIF, L4, SPORT), ACCEPT],
            [HAS_PORTS, _in("peer_range", OIF, IIF, L4, SPORT), ACCEPT],
            [DNATED, HAS_PORTS, _in("exposed_range", IIF, L4, SPORT), ACCEPT],
            [DROP],
        ],
    ),
}
