# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack: containers of one host that are deployed together, parsed from the options of conductor_stack. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ..._engine.convert_options import convert_options
from ..._engine.names import SERVICE_LABEL, STACK_LABEL, parse_name
from ..._errors import InvalidInput
from ..._network.spec.ports import PortRange, parse_port_ranges
from ..._network.spec.request import IN_PLACE, PEER
from .request import CONDITIONS, service_options
from .update import STAND_IN_LABEL, Update, parse_update

_MOST = 4096
# Options of the network that may also be given beside it.
_SHORT = ("expose", "internet")


class InvalidEntry(InvalidInput):
    """`problem` is about the entry `entry` of the option containers."""

    def __init__(self, entry: str, problem: str, hint: str) -> None:
        super().__init__(f"containers.{entry}: {problem}", hint)
        self.entry = entry
        self.problem = problem


@contextmanager
def _named(entry: str) -> Iterator[None]:
    """Name the entry in an InvalidInput that the body raises."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidEntry(entry, error.message, error.hint) from None


@dataclass(frozen=True)
class Peer:
    """The container may call `name` on `ports`, () for every port; with `both`, the reverse direction too."""

    name: str
    ports: tuple[PortRange, ...] = ()
    both: bool = False


@dataclass(frozen=True)
class Member:
    """One container. `options`: parameters of conductor_container; `network`: those of conductor_network, or None.

    `has_network_options`: else it has a network only if it calls or is called. `depends_on`: names of containers, each
    with its condition.
    """

    name: str
    service: str
    options: Mapping[str, Any]
    network: Mapping[str, Any] | None = None
    peers: tuple[Peer, ...] = ()
    has_network_options: bool = True
    depends_on: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Stack:
    """The members by name, in the order of the option containers.

    `updates`: of entries with the option update. `stand_ins`: their further containers, by entry.
    """

    name: str
    members: Mapping[str, Member]
    updates: Mapping[str, Update] = field(default_factory=dict)
    stand_ins: Mapping[str, Member] = field(default_factory=dict)

    def is_job(self, name: str) -> bool:
        """Return whether other members wait until the command of `name` has exited: it runs once."""
        return any(dict(member.depends_on).get(name) == "completed" for member in self.members.values())


def parse_stack(params: Mapping[str, Any]) -> Stack:
    """Return the stack from the module's `params`. Raises InvalidInput."""
    name = parse_name(params["name"], "name")
    labels = {**(params.get("labels") or {}), STACK_LABEL: name}
    _given_short(params.get("defaults"), "defaults")
    defaults = convert_options(service_options(), params.get("defaults") or {}, "defaults")
    services = {
        str(key): _merged(defaults, entry, f"containers.{key}")
        for key, entry in (params.get("containers") or {}).items()
    }
    replicas: dict[str, list[str]] = {}
    for key, entry in services.items():
        with _named(key):
            replicas[key] = _names(key, entry["count"])
    members: dict[str, Member] = {}
    updates: dict[str, Update] = {}
    stand_ins: dict[str, Member] = {}
    for key, entry in services.items():
        with _named(key):
            depends_on = _dependencies(key, entry["depends_on"], services, replicas)
            peers = tuple(peer for value in entry["peers"] or () for peer in parse_peers("peers", value, replicas))
            update = parse_update(key, entry, tuple(replicas[key]))
        own = {**(entry["labels"] or {}), **labels, SERVICE_LABEL: key}
        for replica in replicas[key]:
            if replica in members:
                raise InvalidEntry(
                    key, f"{members[replica].service} has a container {replica}, too", "rename one of them"
                )
            members[replica] = Member(
                replica,
                key,
                {**_without(entry), "name": replica, "labels": own},
                _network(key, entry, peers),
                tuple(peer for peer in peers if peer.name != replica),
                any(entry[name] is not None for name in ("network", *_SHORT)),
                depends_on,
            )
        if update is not None:
            updates[key] = update
        if update is not None and update.stand_in:
            stand_ins[key] = _stand_in(key, entry, update.stand_in, own, peers)
    _refuse_cycles(members)
    owners = {name: member.service for name, member in members.items()}
    for key, one in stand_ins.items():
        if owners.setdefault(one.name, key) != key:
            raise InvalidEntry(
                key,
                f"update: order start-first needs a container {one.name}, and {owners[one.name]} has one",
                "rename one of the entries",
            )
    called = {peer.name for member in members.values() for peer in member.peers}
    for replica in called & members.keys():
        if members[replica].network is None:
            members[replica] = replace(members[replica], network=_default_network(members[replica].service))
    for key, one in stand_ins.items():
        of_entry = next((member for member in members.values() if member.service == key), None)
        if one.network is None and of_entry is not None and of_entry.network is not None:
            stand_ins[key] = replace(one, network=_default_network(key))
    return Stack(name, members, updates, stand_ins)


def _stand_in(
    key: str, entry: Mapping[str, Any], name: str, labels: Mapping[str, str], peers: tuple[Peer, ...]
) -> Member:
    """Return the container that stands in for those of an entry: one more of them, with addresses of its own."""
    network = _network(key, entry, peers)
    if network is not None:
        network = {**network, "ipv4": None, "ipv6": None, "mac": None, "expose": []}
    options = {**_without(entry), "name": name, "labels": {**labels, STAND_IN_LABEL: key}}
    return Member(name, key, options, network, peers)


def _merged(defaults: Mapping[str, Any], entry: object, where: str) -> dict[str, Any]:
    given = {name: value for name, value in _mapping(entry, where).items() if value is not None}
    # The entry's own value wins over a default in the other place.
    short = _given_short(given, where)
    merged = {**defaults, **{name: None for name in _SHORT if name in short}, **given}
    for name in ("env", "labels"):
        if isinstance(given.get(name), Mapping) and defaults[name] is not None:
            merged[name] = {**defaults[name], **given[name]}
    return convert_options(service_options(), merged, where)


def _given_short(values: object, where: str) -> set[str]:
    """Return the names of _SHORT that `values` sets, in network or beside it. Raises InvalidInput if in both."""
    if not isinstance(values, Mapping):
        return set()
    network = values.get("network")
    inside, beside = (
        {name for name in _SHORT if isinstance(place, Mapping) and place.get(name) is not None}
        for place in (network, values)
    )
    twice = sorted(inside & beside)
    if twice:
        raise InvalidInput(f"{where}: {twice[0]} is set twice", "set it either in network, or beside it")
    return inside | beside


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput(f"{where}: {value!r} is not a dictionary", "give a dictionary of options")
    return value


def _without(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of conductor_container."""
    return {
        name: value
        for name, value in entry.items()
        if name not in ("network", "expose", "internet", "peers", "depends_on", "count", "update")
    }


def check_count(count: int) -> int:
    """Return a value of the option count. Raises InvalidInput."""
    if not 0 <= count <= _MOST:
        raise InvalidInput(f"count {count} is out of range", f"set it to 0 to {_MOST}")
    return count


def _names(key: str, count: int | None) -> list[str]:
    if count is not None:
        check_count(count)
    if "{n}" in key:
        names = [key.replace("{n}", str(number)) for number in range(1, (1 if count is None else count) + 1)]
    else:
        names = [key] if count is None else [f"{key}-{number}" for number in range(1, count + 1)]
    return [parse_name(name, "name") for name in names]


def _dependencies(
    key: str, value: object, services: Mapping[str, Mapping[str, Any]], replicas: Mapping[str, list[str]]
) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list):
        value = dict.fromkeys(map(str, value))
    if not isinstance(value, Mapping):
        raise InvalidInput(f"depends_on {value!r} is invalid", "give a list of entries of containers")
    found = []
    for other, given in value.items():
        if isinstance(given, Mapping) and set(given) - {"condition"}:
            raise InvalidInput(f"depends_on: {other}: {dict(given)!r} is invalid", "set only its key condition")
        if other == key:
            raise InvalidInput("depends_on names the entry itself", "remove it")
        if other not in services:
            raise InvalidInput(f"depends_on: {other!r} is no entry of containers", "correct it, or add the entry")
        default = "ready" if services[other]["wait"] else "started"
        condition = (given.get("condition") if isinstance(given, Mapping) else given) or default
        if condition not in CONDITIONS:
            raise InvalidInput(f"depends_on: condition {condition!r} is invalid", f"use {', '.join(CONDITIONS)}")
        if condition == "ready" and not services[other]["wait"]:
            raise InvalidInput(
                f"depends_on: {other} has no wait, so it is never ready",
                f"set wait for {other}, or use the condition started",
            )
        found += [(name, str(condition)) for name in replicas[other]]
    return tuple(found)


def parse_peers(where: str, value: object, replicas: Mapping[str, list[str]]) -> list[Peer]:
    """Return the peers of an entry of the option peers, whose name may stand for `replicas`. Raises InvalidInput."""
    options = convert_options(PEER, {"peer": value} if isinstance(value, str) else value, where)
    name, both = options["peer"], options["direction"] == "both"
    try:
        ports = parse_port_ranges(options["ports"] or ())
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {name}: {error.message}", error.hint) from None
    if options["ports"] is not None and not ports:
        raise InvalidInput(f"{where}: ports of {name} is an empty list", "omit it to allow every port")
    if both and name not in replicas:
        # The reverse would stay allowed when this entry is gone.
        raise InvalidInput(
            f"{where}: direction both requires that {name} is described in the same task",
            f"set direction: to, and list this container among the peers of {name}",
        )
    return [Peer(found, ports, both) for found in (replicas[name] if name in replicas else [parse_name(name, where)])]


def _network(key: str, entry: Mapping[str, Any], peers: tuple[Peer, ...]) -> Mapping[str, Any] | None:
    """Return the options of conductor_network, or None if the container has no network."""
    short = {name: entry[name] for name in _SHORT if entry[name] is not None}
    given = entry["network"]
    if given is None:
        return {**_default_network(key), **short} if short or peers else None
    return {**given, **short}


def _default_network(key: str) -> dict[str, Any]:
    return convert_options(IN_PLACE, {}, f"containers.{key}.network")


def _refuse_cycles(members: Mapping[str, Member]) -> None:
    left = {name: {other for other, _ in member.depends_on} for name, member in members.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    if left:
        # Each of these depends on another one of them, so that following the dependencies ends in a cycle.
        path = [next(iter(left))]
        while path[-1] not in path[:-1]:
            path.append(min(left[path[-1]] & left.keys()))
        cycle = set(path[path.index(path[-1]) :])
        entries = list(dict.fromkeys(members[name].service for name in members if name in cycle))
        raise InvalidEntry(
            entries[0], f"depends_on: {', '.join(entries)} depend on each other", "remove one of these dependencies"
        )
