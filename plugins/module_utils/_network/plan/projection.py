# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Derive from all specs the state that the kernel must have: links, nftables elements, files in containers. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..._engine.action import Action
from ..spec.network import Link, NetworkSpec, PeerEntry, link_name
from ..spec.ports import Expose, PortRange, merge_port_ranges
from .firewall_rules import TCP, UDP
from .firewall_table import (
    ALL_SETS,
    Element,
    Elements,
    delete_commands,
    forget_link_commands,
    split_opening,
    update_commands,
)
from .foreign_firewalls import plan_foreign_firewalls
from .forwarding import plan_disabling, plan_enabling, plan_fence, wanted_fence
from .hosts_files import inside_files
from .veth import link_problems
from .view import ContainerView, NetworkView

_NUMBER = {"tcp": TCP, "udp": UDP}


@dataclass(frozen=True)
class Connect(Action):
    """Create the container's veth pair. `why` lists the problems of the existing pair, () if none exists."""

    container: str
    link: Link
    why: tuple[str, ...] = ()

    def describe(self) -> str:
        return f"connect {self.container} by {self.link.outer}" + (f" ({', '.join(self.why)})" if self.why else "")


@dataclass(frozen=True)
class Disconnect(Action):
    """Delete a host end, and with it the veth pair."""

    outer: str

    def describe(self) -> str:
        return f"delete the link {self.outer}"


@dataclass(frozen=True)
class RouteLocalnet(Action):
    """Allow or forbid replies to 127.0.0.0/8 on the host end of a container (sysctl route_localnet)."""

    container: str
    allowed: bool

    @property
    def outer(self) -> str:
        return link_name(self.container)

    def describe(self) -> str:
        return f"{'route' if self.allowed else 'stop routing'} replies to localhost on {self.outer}"


@dataclass(frozen=True)
class UpdateFirewall(Action):
    """Run nft commands in one transaction, and `opening` in another when no packet is on its way any more.

    A packet that has passed the hook of a filter before the filter existed must not be let through after that.
    """

    commands: tuple[dict[str, Any], ...]
    opening: tuple[dict[str, Any], ...] = ()

    def only_forgets(self) -> set[str]:
        """Return the host ends whose chains are deleted, the empty set if the action does anything else."""
        deleted = [command["delete"].get("chain") for command in self.commands if "delete" in command]
        names = {chain["name"] for chain in deleted if chain}
        forgetting = [command for name in sorted(names) for command in forget_link_commands(name)]
        return names if forgetting == list(self.commands) else set()

    def describe(self) -> str:
        added = [next(iter(command["add"])) for command in self.commands if "add" in command]
        if "rule" in added and "table" in added:
            return "write the firewall table inet conductor"
        if "table" in added:
            return "delete the firewall table inet conductor"
        changed = (next(iter(command.values())) for command in self.commands)
        names = {item["element"]["name"] for item in changed if "element" in item}
        if names:
            return f"update the firewall sets {', '.join(sorted(names))}"
        return "update the firewall chains of links"


@dataclass(frozen=True)
class WriteInsideFiles(Action):
    """Write files in a running container."""

    container: str
    files: Mapping[str, bytes]

    def describe(self) -> str:
        return f"write {', '.join(sorted(self.files))} in {self.container}"


def wanted_elements(view: NetworkView) -> dict[str, frozenset[Element]]:
    """Return the elements of the sets and maps for the containers that have a network namespace."""
    elements: dict[str, set[Element]] = {name: set() for name in ALL_SETS}
    for container in view.containers.values():
        for name, element in elements_of(view, container):
            elements[name].add(element)
    if elements["internet"]:
        elements["uplink"] = {(name,) for name in view.uplinks}
    for version, name in wanted_fence(view).interfaces:
        elements[f"fenced{version}"].add((name,))
    return {name: frozenset(found) for name, found in elements.items()}


def elements_of(view: NetworkView, container: ContainerView) -> Iterator[tuple[str, Element]]:
    """Yield the elements of one container, each with the name of its set.

    Those that lead new connections to it lead to its stand-in instead, if that leads. Open connections of both stay
    allowed.
    """
    if container.spec is None:
        return
    stand_in = view.stand_in_of(container)
    if container.attached:
        yield from _own_elements(view, container, container.spec)
    receivers = [one for one in (container if container.attached else None, stand_in) if one]
    receiver = stand_in if stand_in and _leads(container.spec) else container if container.attached else None
    if receiver and receiver.spec:
        for expose in container.spec.expose:
            yield from _exposed(receiver.spec, expose)
    for name in [one.name for one in receivers]:
        # Two exposes may lead to the same container port, and a set accepts no overlapping intervals.
        for ports in merge_port_ranges(PortRange(e.protocol, *e.container_ports) for e in container.spec.expose):
            yield _port_element("exposed", "exposed_range", (link_name(name),), ports)


def _own_elements(view: NetworkView, container: ContainerView, spec: NetworkSpec) -> Iterator[tuple[str, Element]]:
    outer = link_name(container.name)
    for version, address in ((4, spec.ipv4), (6, spec.ipv6)):
        if address:
            yield f"own{version}", (outer, address)
            yield f"source{version}", (outer, address)
            yield f"address{version}", (address,)
    yield "self", (outer, outer)
    if spec.host_access:
        yield "host_access", (outer,)
    if spec.metadata:
        yield "metadata", (outer,)
    if spec.internet and spec.uplink:
        yield "internet_by", (outer, spec.uplink)
    elif spec.internet:
        yield "internet", (outer,)
    for entry in spec.peers:
        yield from _peer_elements(view, outer, entry)


def _peer_elements(view: NetworkView, outer: str, entry: PeerEntry) -> Iterator[tuple[str, Element]]:
    peer = view.peer_of(entry)
    if peer is None or peer.spec is None:
        return
    stand_in = view.stand_in_of(peer)
    for called in (peer if peer.attached else None, stand_in):
        pair = (outer, link_name(called.name)) if called else ()
        if pair and not entry.ports:
            yield "peer", pair
        for ports in entry.ports if pair else ():
            yield _port_element("peer_port", "peer_range", pair, ports)
    if stand_in is None or stand_in.spec is None or not _leads(peer.spec):
        return
    addresses = ((4, peer.spec.ipv4, stand_in.spec.ipv4), (6, peer.spec.ipv6, stand_in.spec.ipv6))
    for version, called_address, address in addresses:
        if not called_address or not address:
            continue
        if not entry.ports:
            yield f"stand_in{version}", (outer, called_address, address)
        for ports in entry.ports:
            key = (outer, called_address, _NUMBER[ports.protocol], (ports.first, ports.last))
            yield f"stand_in{version}_port", (*key, address)


def _port_element(one: str, many: str, key: Element, ports: PortRange) -> tuple[str, Element]:
    """Return the element for `ports` with the name of its set: `one` for a single port, `many` for a range."""
    protocol = _NUMBER[ports.protocol]
    if ports.first == ports.last:
        return one, (*key, protocol, ports.first)
    return many, (*key, protocol, (ports.first, ports.last))


def _leads(spec: NetworkSpec) -> bool:
    """Return whether new connections lead to the stand-in of a container."""
    return spec.stand_in is not None and spec.stand_in.leads


def _exposed(spec: NetworkSpec, expose: Expose) -> Iterator[tuple[str, Element]]:
    protocol = _NUMBER[expose.protocol]
    for version in expose.versions:
        address = spec.ipv4 if version == 4 else spec.ipv6
        if address is None:
            continue
        name = f"expose{version}" if expose.any_address else f"expose{version}_on"
        address_part = () if expose.any_address else (expose.host_ip,)
        yield name, (*address_part, protocol, expose.host_ports, address)
        for host_port, container_port in expose.shifted():
            yield f"{name}_port", (*address_part, protocol, host_port, container_port)


def plan_projection(
    view: NetworkView, focus: Collection[str], forwarding: str = "enable", firewall: str = "report"
) -> tuple[Action, ...]:
    """Return actions that make the kernel agree with the specs in `view`.

    Links and files are compared for the containers in `focus`, the nftables tables always as a whole. Closing comes
    before opening: links are deleted before the elements that restrict them, and created after the tables and their
    elements. `forwarding` "require" raises HostNotCapable if forwarding would have to be enabled, and "leave" does not
    change it. `firewall` "accept" adds accept rules for containers' packets to other firewalls.
    """
    focused = [view.containers[name] for name in sorted(focus) if name in view.containers]
    gone = [Disconnect(link_name(c.name)) for c in focused if c.pair is not None and _must_disconnect(c)]
    gone += [Disconnect(outer) for outer in view.stray_links]
    enabling = plan_enabling(view, forwarding)
    actions: list[Action] = [*gone, *plan_disabling(view), *plan_fence(view)]
    localnet = _plan_localnet(view, focused)
    actions += [change for change in localnet if not change.allowed]
    # Before calls of the host's 127.0.0.0/8 lead to a link that exists already, since the kernel drops their replies.
    existing = {link_name(one.name) for one in focused if one.pair is not None and _problems(one) is None}
    actions += [change for change in localnet if change.allowed and change.outer in existing]
    actions += plan_firewall(view, {action.outer for action in gone})
    actions += enabling
    for container in focused:
        problems = _problems(container)
        if container.spec is not None and problems is not None:
            actions.append(Connect(container.name, Link.of(container.name, container.spec), problems))
    actions += [change for change in localnet if change.allowed and change.outer not in existing]
    actions += plan_foreign_firewalls(view.other_chains, firewall == "accept" and any(view.connected()))
    for container in focused:
        if container.files is not None and container.damage is None:
            wanted = inside_files(view, container.name, container.hostname, container.files)
            differing = {p: text for p, text in wanted.items() if p in container.files and container.files[p] != text}
            if differing:
                actions.append(WriteInsideFiles(container.name, differing))
    return tuple(actions)


def _must_disconnect(container: ContainerView) -> bool:
    return container.damage is None and not (container.attached and container.spec)


def _problems(container: ContainerView) -> tuple[str, ...] | None:
    """Return why the container's link must be created again, () if none exists yet, or None if the link is correct."""
    if not container.attached or container.spec is None:
        return None
    if container.pair is None:
        return ()
    return link_problems(Link.of(container.name, container.spec), container.pair) or None


def _plan_localnet(view: NetworkView, containers: Collection[ContainerView]) -> list[RouteLocalnet]:
    """Return changes of route_localnet. A new link does not route localhost."""
    changes = []
    for container in containers:
        if container.attached and container.spec is not None:
            outer, fresh = link_name(container.name), _problems(container) is not None
            allowed = False if fresh or container.pair is None else container.pair.routes_localnet(outer)
            if allowed != needs_localnet(view, container):
                changes.append(RouteLocalnet(container.name, not allowed))
    return changes


def needs_localnet(view: NetworkView, container: ContainerView) -> bool:
    """Return whether a port of the host's 127.0.0.0/8 is one of the container, or of one for which it stands in."""
    specs = (one.spec for one in (container, *view.replaced_by.get(container.name, ())))
    exposes = (expose for spec in specs if spec for expose in spec.expose if 4 in expose.versions)
    return any(expose.any_address or expose.host_ip.startswith("127.") for expose in exposes)


def plan_firewall(view: NetworkView, gone: Collection[str] = ()) -> list[Action]:
    """Return the update that corrects the tables, or deletes them if no container needs them.

    `gone` are host ends that are deleted before.
    """
    wanted: Elements = wanted_elements(view)
    damaged = any(container.damage and container.attached for container in view.containers.values())
    if not any(wanted.values()) and not damaged:
        return [UpdateFirewall(tuple(delete_commands()))] if view.firewall.base is not None else []
    if damaged:
        wanted = _with_elements_of_damaged(view, wanted)
    present = view.links - set(gone)
    links = {link_name(c.name) for c in view.containers.values() if c.attached and (c.spec or c.damage)} & present
    lost = (view.firewall.links | view.firewall.damaged_links) - present
    commands = update_commands(view.firewall, wanted, links, lost, view.most_connections)
    opening: list[dict[str, Any]] = []
    if not view.firewall.whole:
        # Nothing passes at present.
        commands, opening = split_opening(commands)
    return [UpdateFirewall(tuple(commands), tuple(opening))] if commands else []


def _with_elements_of_damaged(view: NetworkView, wanted: Elements) -> Elements:
    """Return `wanted` plus the current elements of containers whose spec cannot be read, which stay as they are.

    An element belongs to such a container if it names neither a link nor an address of another container.
    """
    known: set[object] = set()
    for container in view.containers.values():
        if container.damage is None:
            known.add(link_name(container.name))
            if container.spec:
                known |= {container.spec.ipv4, container.spec.ipv6}
    kept = {}
    for name, present in view.firewall.elements.items():
        taken = _ranges_by_key(name, wanted[name])
        kept[name] = frozenset(e for e in present if not known & set(e) and not _is_taken(taken, *_key(name, e)))
    return {name: wanted[name] | kept.get(name, frozenset()) for name in wanted}


_Range = tuple[int, int]  # the first and the last port


def _key(name: str, element: Element) -> tuple[Element, _Range]:
    """Return the key of an element without its range of ports, and the range, which is (0, 0) if it has none."""
    parts = element[:-1] if ALL_SETS[name][1] else element
    ports = next((part for part in parts if isinstance(part, tuple)), (0, 0))
    return tuple(None if isinstance(part, tuple) else part for part in parts), ports


def _ranges_by_key(name: str, elements: Iterable[Element]) -> dict[Element, list[_Range]]:
    """Return the ranges of ports of `elements`, sorted, by the rest of their keys."""
    found: dict[Element, list[_Range]] = {}
    for key, ports in sorted((_key(name, element) for element in elements), key=lambda one: one[1]):
        found.setdefault(key, []).append(ports)
    return found


def _is_taken(taken: Mapping[Element, list[_Range]], key: Element, ports: _Range) -> bool:
    """Return whether a packet could match both the key and one that is taken. Those of one set do not overlap."""
    ranges = taken.get(key, [])
    position = bisect_left(ranges, (ports[1] + 1,))
    return position > 0 and ranges[position - 1][1] >= ports[0]
