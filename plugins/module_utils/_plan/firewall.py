# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table `inet conductor` as commands for nft, and as nft shows it.

Pure: it renders commands of libnftables-json(5) and understands what `nft -j -n list table` prints.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .firewall_rules import CHAINS, SETS, TCP, UDP

FAMILY, TABLE = "inet", "conductor"

# Set name -> elements. An element is a tuple of key parts, and for a map the value last; a port range is (first, last).
Elements = Mapping[str, frozenset]


@dataclass(frozen=True)
class Firewall:
    """The table as found on the host: `base` is the digest of its rules and sets (None: no table)."""

    base: str | None = None
    elements: Mapping[str, frozenset] = field(default_factory=dict)


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


def changed_udp_ports(commands: Iterable[Mapping]) -> list[tuple[int, int]]:
    """Host ports of UDP whose way `commands` change, as ranges (first, last)."""
    found = set()
    for command in commands:
        for verb in ("add", "delete"):
            element = command.get(verb, {}).get("element", {})
            if element.get("name", "").startswith("expose") and element["name"] != "exposed":
                for key, _value in element["elem"]:
                    *_address, protocol, port = key["concat"]
                    ports = tuple(port["range"]) if isinstance(port, dict) else (port, port)
                    found |= {ports} if protocol == UDP else set()
    return sorted(found)


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
