# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table `inet conductor`: its rules never change; who may do what stands in its sets and maps.

So a packet costs the same and an update costs the same, however many containers there are. Pure: it renders commands of
libnftables-json(5) and understands what `nft -j -n list table` prints. Numbers stand for protocols, for a host without
/etc/protocols knows no names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .._model.network import LINK_PREFIX

FAMILY, TABLE = "inet", "conductor"
# The host end of any container's veth pair.
OURS = LINK_PREFIX + "*"
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58

# name: (key type, value type or None, flags). A key of the first lists what the rules below look up.
SETS: Mapping[str, tuple[tuple[str, ...], str | None, tuple[str, ...]]] = {
    "source4": (("ifname", "ipv4_addr"), None, ()),
    "source6": (("ifname", "ipv6_addr"), None, ()),
    "host_access": (("ifname",), None, ()),
    "internet": (("ifname",), None, ()),
    "internet_by": (("ifname", "ifname"), None, ()),
    "peer": (("ifname", "ifname"), None, ()),
    "peer_port": (("ifname", "ifname", "inet_proto", "inet_service"), None, ("interval",)),
    "exposed": (("ifname", "inet_proto", "inet_service"), None, ()),
    "self": (("ifname", "ifname"), None, ()),
    "expose4": (("inet_proto", "inet_service"), "ipv4_addr", ()),
    "expose4_port": (("inet_proto", "inet_service"), "inet_service", ()),
    "expose4_on": (("ipv4_addr", "inet_proto", "inet_service"), "ipv4_addr", ()),
    "expose4_on_port": (("ipv4_addr", "inet_proto", "inet_service"), "inet_service", ()),
    "expose6": (("inet_proto", "inet_service"), "ipv6_addr", ()),
    "expose6_port": (("inet_proto", "inet_service"), "inet_service", ()),
    "expose6_on": (("ipv6_addr", "inet_proto", "inet_service"), "ipv6_addr", ()),
    "expose6_on_port": (("ipv6_addr", "inet_proto", "inet_service"), "inet_service", ()),
}

# Set name -> elements. An element is a tuple of key parts, and for a map the value last; a port range is (first, last).
Elements = Mapping[str, frozenset]


@dataclass(frozen=True)
class Firewall:
    """The table as found on the host: `base` is the digest of its rules and sets (None: no table)."""

    base: str | None = None
    elements: Mapping[str, frozenset] = field(default_factory=dict)


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


def _jump(chain: str) -> dict:
    return {"jump": {"target": chain}}


def _dnat(version: int) -> list[list[dict]]:
    """Exposed ports on one address of the host, then on any."""
    ip = "ip" if version == 4 else "ip6"
    rules = []
    for suffix, key in (("_on", [_payload(ip, "daddr"), L4, DPORT]), ("", [L4, DPORT])):
        name = f"expose{version}{suffix}"
        concat = {"concat": key}
        to = {
            "family": ip,
            "addr": {"map": {"key": concat, "data": f"@{name}"}},
            "port": {"map": {"key": concat, "data": f"@{name}_port"}},
        }
        rules.append([_is(_meta("nfproto"), "ipv4" if version == 4 else "ipv6"), HAS_PORTS, {"dnat": to}])
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
                _is(_payload("icmpv6", "type"), _any_of("nd-neighbor-solicit", "nd-neighbor-advert")),
                ACCEPT,
            ],
            [DROP],
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
            # Neighbour discovery, and ping as a means of diagnosis.
            [_is(L4, _any_of(ICMP, ICMP6)), ACCEPT],
            [REPLY, ACCEPT],
            [_in("host_access", IIF), ACCEPT],
            [DROP],
        ],
    ),
}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _set_object(name: str) -> dict:
    key, value, flags = SETS[name]
    found: dict = {"family": FAMILY, "table": TABLE, "name": name, "type": list(key) if len(key) > 1 else key[0]}
    if value:
        found["map"] = value
    if flags:
        found["flags"] = list(flags)
    return {"map" if value else "set": found}


def base_commands() -> list[dict]:
    """Make the whole table anew, without elements; what there was goes in the same transaction."""
    table = {"table": {"family": FAMILY, "name": TABLE}}
    commands: list[dict] = [{"add": table}, {"delete": table}, {"add": table}]
    commands += [{"add": _set_object(name)} for name in SETS]
    for chain, (hook, _rules) in CHAINS.items():
        described: dict = {"family": FAMILY, "table": TABLE, "name": chain}
        if hook:
            described.update(zip(("type", "hook", "prio"), hook), policy="accept")
        commands.append({"add": {"chain": described}})
    for chain, (_hook, rules) in CHAINS.items():
        for rule in rules:
            # The comment tells this rule from any other: so a look at the table shows what somebody changed.
            commands.append(
                {
                    "add": {
                        "rule": {
                            "family": FAMILY,
                            "table": TABLE,
                            "chain": chain,
                            "expr": rule,
                            "comment": _digest(rule),
                        }
                    }
                }
            )
    return commands


def delete_commands() -> list[dict]:
    """Remove the table, whether it is there or not."""
    table = {"table": {"family": FAMILY, "name": TABLE}}
    return [{"add": table}, {"delete": table}]


def _base_of(objects: Iterable[Mapping]) -> str:
    """A digest of the table's shape: sets, chains, and the comments of the rules in their order."""
    sets, chains, rules = [], [], {}
    for item in objects:
        for kind, value in item.items():
            if kind in ("set", "map"):
                key = value["type"] if isinstance(value["type"], list) else [value["type"]]
                sets.append([value["name"], key, value.get("map"), sorted(value.get("flags", []))])
            elif kind == "chain":
                chains.append([value["name"], *(value.get(k) for k in ("type", "hook", "prio", "policy"))])
            elif kind == "rule":
                rules.setdefault(value["chain"], []).append(value.get("comment"))
            elif kind not in ("metainfo", "table"):
                sets.append([kind, value.get("name"), None, None])
    return _digest([sorted(sets, key=str), sorted(chains, key=str), rules])


BASE = _base_of(command["add"] for command in base_commands() if "add" in command)


def _element(name: str, parts: tuple) -> object:
    key_types, value_type, _flags = SETS[name]
    key = [
        {"range": list(p)} if isinstance(p, tuple) and p[0] != p[1] else p[0] if isinstance(p, tuple) else p
        for p in parts
    ]
    value = key.pop() if value_type else None
    whole = {"concat": key} if len(key_types) > 1 else key[0]
    return [whole, value] if value_type else whole


def _element_commands(verb: str, name: str, elements: Iterable[tuple]) -> list[dict]:
    listed = [_element(name, parts) for parts in sorted(elements, key=str)]
    return [{verb: {"element": {"family": FAMILY, "table": TABLE, "name": name, "elem": listed}}}] if listed else []


def update_commands(found: Firewall, wanted: Elements) -> list[dict]:
    """What makes the table right, as one transaction; empty where it is."""
    fresh = found.base != BASE
    commands = base_commands() if fresh else []
    for name in SETS:
        before = frozenset() if fresh else found.elements.get(name, frozenset())
        after = wanted.get(name, frozenset())
        commands += _element_commands("delete", name, before - after)
        commands += _element_commands("add", name, after - before)
    return commands


def changed_udp_ports(commands: Iterable[Mapping]) -> set[int]:
    """Host ports of UDP whose way `commands` change."""
    found = set()
    for command in commands:
        for verb in ("add", "delete"):
            element = command.get(verb, {}).get("element", {})
            if element.get("name", "").startswith("expose") and element["name"].endswith("_port"):
                for key, _value in element["elem"]:
                    *_address, protocol, port = key["concat"]
                    found |= {port} if protocol == UDP else set()
    return found


def parse_listing(listing: Mapping | None) -> Firewall:
    """The table as `nft -j -n list table inet conductor` shows it; None: there is none."""
    if listing is None:
        return Firewall()
    objects = listing["nftables"]
    elements = {}
    for item in objects:
        for kind in ("set", "map"):
            if kind in item and item[kind]["name"] in SETS:
                found = item[kind]
                elements[found["name"]] = frozenset(_parse_element(found["name"], e) for e in found.get("elem", []))
    return Firewall(_base_of(objects), elements)


def _parse_element(name: str, shown: object) -> tuple:
    key_types, value_type, flags = SETS[name]
    value = None
    if value_type:
        shown, value = shown
    if isinstance(shown, dict) and "elem" in shown:
        shown = shown["elem"]["val"]
    parts = shown["concat"] if isinstance(shown, dict) and "concat" in shown else [shown]
    types = [*key_types, *([value_type] if value_type else [])]
    parsed = (_parse_part(kind, part, flags) for kind, part in zip(types, [*parts, *([value] if value_type else [])]))
    return tuple(parsed)


def _parse_part(kind: str, part: object, flags: tuple[str, ...]) -> object:
    if kind == "inet_proto":
        return {"tcp": TCP, "udp": UDP}.get(part, part)
    if kind == "inet_service" and "interval" in flags:
        return tuple(part["range"]) if isinstance(part, dict) else (part, part)
    if kind in ("ipv4_addr", "ipv6_addr"):
        import ipaddress

        return str(ipaddress.ip_address(part))
    return part
