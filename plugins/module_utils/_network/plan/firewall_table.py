# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables `inet conductor` and `netdev conductor` as nft commands, and parsed from nft listings. Pure.

The table `netdev conductor` has one chain for each link (hook `ingress`), which admits the packets of its container.
Commands are in the format of libnftables-json(5); listings are the output of `nft -j -n list table`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..spec.network import LINK_PREFIX
from .firewall_rules import (
    CHAINS,
    FROM_LINK,
    INGRESS_CHAINS,
    INGRESS_SETS,
    LIMITS,
    METER,
    MOST_CONNECTIONS,
    OPENING,
    SETS,
    TCP,
    UDP,
    limit_rule,
)

FAMILY, INGRESS, TABLE = "inet", "netdev", "conductor"
FAMILIES = (FAMILY, INGRESS)
ALL_SETS = {**SETS, **INGRESS_SETS}
_TO_CHECK: list[dict[str, Any]] = [{"goto": {"target": FROM_LINK}}]

# Set name -> elements. An element is a tuple of key parts, for a map with the value last; a port range is (first,
# last).
Element = tuple[object, ...]
Elements = Mapping[str, frozenset[Element]]


@dataclass(frozen=True)
class Firewall:
    """The tables as found on the host.

    `base` is the digest of their rules and sets (None if neither table exists); `whole` says whether both exist.
    `links` are the host ends that have an intact chain, `damaged_links` those whose chain was changed.
    """

    base: str | None = None
    elements: Elements = field(default_factory=dict)
    whole: bool = False
    links: frozenset[str] = frozenset()
    damaged_links: frozenset[str] = frozenset()


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _place(family: str, **more: object) -> dict[str, Any]:
    return {"family": family, "table": TABLE, **more}


def _family_of(name: str) -> str:
    return INGRESS if name in INGRESS_SETS else FAMILY


def _set_object(name: str) -> dict[str, Any]:
    key, value, flags = ALL_SETS[name]
    found = _place(_family_of(name), name=name, type=list(key) if len(key) > 1 else key[0])
    if value:
        found["map"] = value
    if flags:
        found["flags"] = list(flags)
    return {"map" if value else "set": found}


def _rule(family: str, chain: str, expr: list[dict[str, Any]]) -> dict[str, Any]:
    # The comment identifies the rule, so that a listing shows whether rules were changed.
    return {"add": {"rule": _place(family, chain=chain, expr=expr, comment=_digest(expr))}}


def base_commands(most_connections: int = MOST_CONNECTIONS) -> list[dict[str, Any]]:
    """Return commands that replace both tables in one transaction, without elements and links."""
    chains = {**CHAINS, LIMITS: (CHAINS[LIMITS][0], [limit_rule(most_connections)])}
    commands: list[dict[str, Any]] = delete_commands()
    commands += [{"add": {"table": {"family": family, "name": TABLE}}} for family in FAMILIES]
    commands += [{"add": _set_object(name)} for name in ALL_SETS]
    for chain, (hook, _rules) in chains.items():
        described = _place(FAMILY, name=chain)
        if hook:
            described.update(zip(("type", "hook", "prio"), hook), policy="accept")
        commands.append({"add": {"chain": described}})
    commands += [{"add": {"chain": _place(INGRESS, name=chain)}} for chain in INGRESS_CHAINS]
    commands += [_rule(FAMILY, chain, rule) for chain, (_hook, rules) in chains.items() for rule in rules]
    return commands + [_rule(INGRESS, chain, rule) for chain, rules in INGRESS_CHAINS.items() for rule in rules]


def delete_commands() -> list[dict[str, Any]]:
    """Return commands that delete the tables, whether they exist or not."""
    tables = [{"table": {"family": family, "name": TABLE}} for family in FAMILIES]
    return [{verb: table} for table in tables for verb in ("add", "delete")]


def link_commands(outer: str) -> list[dict[str, Any]]:
    """Return commands that admit packets of the container at the host end `outer`, which must exist. Idempotent.

    The priority is lower than that of defragmentation, connection tracking and NAT.
    """
    hook = {"type": "filter", "hook": "ingress", "prio": -500, "dev": outer, "policy": "accept"}
    chain = _place(INGRESS, name=outer)
    return [{"add": {"chain": {**chain, **hook}}}, {"flush": {"chain": chain}}, _rule(INGRESS, outer, _TO_CHECK)]


def forget_link_commands(outer: str) -> list[dict[str, Any]]:
    """Return commands that delete the chain of a deleted link.

    They first add it, without a hook, since kernels before 6.16 have already removed it.
    """
    chain = {"chain": _place(INGRESS, name=outer)}
    return [{"add": chain}, {"delete": chain}]


def _base_of(objects: Iterable[Mapping[str, Any]]) -> str:
    """Return a digest of the tables: sets, chains, and the comments of their rules in order, without those of links."""
    sets: list[list[object]] = []
    chains: list[list[object]] = []
    rules: dict[str, list[str | None]] = {}
    for item in objects:
        for kind, value in item.items():
            if value.get("name") == METER or LINK_PREFIX in (value.get("chain") or value.get("name") or ""):
                continue
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


@functools.lru_cache
def base_of(most_connections: int = MOST_CONNECTIONS) -> str:
    """Return the digest of the tables with a limit of connections for each container."""
    return _base_of(command["add"] for command in base_commands(most_connections) if "add" in command)


def _element(name: str, parts: Element) -> object:
    key_types, value_type, _flags = ALL_SETS[name]
    key = [
        {"range": list(p)} if isinstance(p, tuple) and p[0] != p[1] else p[0] if isinstance(p, tuple) else p
        for p in parts
    ]
    value = key.pop() if value_type else None
    whole = {"concat": key} if len(key_types) > 1 else key[0]
    return [whole, value] if value_type else whole


def _element_commands(verb: str, name: str, elements: Iterable[Element]) -> list[dict[str, Any]]:
    listed = [_element(name, parts) for parts in sorted(elements, key=str)]
    return [{verb: {"element": _place(_family_of(name), name=name, elem=listed)}}] if listed else []


def split_opening(commands: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return `commands` without the rule that lets packets to containers through, and a command that inserts it."""
    opening = _rule(FAMILY, "to_link", OPENING)
    return [command for command in commands if command != opening], [{"insert": opening["add"]}]


def update_commands(
    found: Firewall,
    wanted: Elements,
    links: Collection[str],
    gone: Collection[str],
    most_connections: int,
) -> list[dict[str, Any]]:
    """Return commands that correct the tables in one transaction, [] if they are correct.

    `links` are existing host ends that must be admitted, `gone` are host ends that do not exist.
    """
    fresh = found.base != base_of(most_connections)
    commands = base_commands(most_connections) if fresh else []
    for name in ALL_SETS:
        before = frozenset() if fresh else found.elements.get(name, frozenset())
        after = wanted.get(name, frozenset())
        commands += _element_commands("delete", name, before - after)
        commands += _element_commands("add", name, after - before)
    known = frozenset() if fresh else found.links
    for outer in sorted(set() if fresh else (found.links | found.damaged_links) & set(gone)):
        commands += forget_link_commands(outer)
    for outer in sorted(set(links) - known):
        commands += link_commands(outer)
    return commands


def parse_listing(listing: Mapping[str, Any] | None) -> Firewall:
    """Return the tables from the joined output of `nft -j -n list table`, or an empty Firewall for None."""
    if listing is None:
        return Firewall()
    objects = listing["nftables"]
    elements = {}
    for item in objects:
        for kind in ("set", "map"):
            if kind in item and item[kind]["name"] in ALL_SETS:
                found = item[kind]
                elements[found["name"]] = frozenset(_parse_element(found["name"], e) for e in found.get("elem", []))
    chains = {item["chain"]["name"] for item in objects if LINK_PREFIX in item.get("chain", {}).get("name", "")}
    rules: dict[str, list[str | None]] = {name: [] for name in chains}
    for item in objects:
        if item.get("rule", {}).get("chain") in rules:
            rules[item["rule"]["chain"]].append(item["rule"].get("comment"))
    right = frozenset(name for name in chains if rules[name] == [_digest(_TO_CHECK)])
    tables = {item["table"]["family"] for item in objects if "table" in item}
    return Firewall(_base_of(objects), elements, tables == set(FAMILIES), right, frozenset(chains) - right)


def _parse_element(name: str, shown: Any) -> Element:
    key_types, value_type, flags = ALL_SETS[name]
    value = None
    if value_type:
        shown, value = shown
    if isinstance(shown, dict) and "elem" in shown:
        shown = shown["elem"]["val"]
    parts = shown["concat"] if isinstance(shown, dict) and "concat" in shown else [shown]
    types = [*key_types, *([value_type] if value_type else [])]
    parsed = (_parse_part(kind, part, flags) for kind, part in zip(types, [*parts, *([value] if value_type else [])]))
    return tuple(parsed)


def _parse_part(kind: str, part: Any, flags: tuple[str, ...]) -> object:
    if kind == "inet_proto":
        return {"tcp": TCP, "udp": UDP}.get(part, part)
    if kind == "inet_service" and "interval" in flags:
        return tuple(part["range"]) if isinstance(part, dict) else (part, part)
    if kind in ("ipv4_addr", "ipv6_addr"):
        import ipaddress

        return str(ipaddress.ip_address(part))
    return part
