# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From all specs to what the kernel must have: links, the table's elements, files inside. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..._engine.action import Action
from ..spec.network import Link, NetworkSpec, PeerEntry, link_name
from ..spec.ports import Expose, PortRange, merge_port_ranges, overlaps
from .firewall_rules import TCP, UDP
from .firewall_table import ALL_SETS, Element, Elements, delete_commands, update_commands
from .foreign_firewalls import plan_other_firewalls
from .forwarding import plan_disabling, plan_enabling, plan_fence, wanted_fence
from .hosts_files import inside_files
from .veth import problems_of
from .view import ContainerView, NetworkView

_NUMBER = {"tcp": TCP, "udp": UDP}


@dataclass(frozen=True)
class Connect(Action):
    """Make the container's veth pair anew; `why` is what is wrong with the one there is, () where there is none."""

    container: str
    link: Link
    why: tuple[str, ...] = ()

    def describe(self) -> str:
        return f"connect {self.container} by {self.link.outer}" + (f" ({', '.join(self.why)})" if self.why else "")


@dataclass(frozen=True)
class Disconnect(Action):
    """Delete a host end, and with it the whole veth pair."""

    outer: str

    def describe(self) -> str:
        return f"delete the link {self.outer}"


@dataclass(frozen=True)
class RouteLocalnet(Action):
    """Let replies to 127.0.0.1 come back by a host end, or no more."""

    outer: str
    allowed: bool

    def describe(self) -> str:
        return (
            f"{'let replies to localhost' if self.allowed else 'let no reply to localhost'} come back by {self.outer}"
        )


@dataclass(frozen=True)
class UpdateFirewall(Action):
    """Commands for nft, one transaction."""

    commands: tuple[dict[str, Any], ...]

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
        return "update what the firewall lets in by links"


@dataclass(frozen=True)
class WriteInsideFiles(Action):
    """Write files into a running container."""

    container: str
    files: Mapping[str, bytes]

    def describe(self) -> str:
        return f"write {', '.join(sorted(self.files))} in {self.container}"


def wanted_elements(view: NetworkView) -> dict[str, frozenset[Element]]:
    """The elements of the table's sets and maps for the containers that have a network namespace."""
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
    """Those of one container, each with the name of its set."""
    spec = container.spec
    if spec is None or not container.attached:
        return
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
    if spec.internet and spec.interface:
        yield "internet_by", (outer, spec.interface)
    elif spec.internet:
        yield "internet", (outer,)
    for entry in spec.peers:
        yield from _peer_elements(view, outer, entry)
    for expose in spec.expose:
        yield from _exposed(spec, expose)
    # Two exposes may lead to the same port inside, and a set takes no interval twice.
    for ports in merge_port_ranges(PortRange(e.protocol, *e.container_ports) for e in spec.expose):
        yield "exposed", (outer, _NUMBER[ports.protocol], (ports.first, ports.last))


def _peer_elements(view: NetworkView, outer: str, entry: PeerEntry) -> Iterator[tuple[str, Element]]:
    peer = view.peer_of(entry)
    if peer is None or not peer.attached:
        return
    pair = (outer, link_name(peer.name))
    if not entry.ports:
        yield "peer", pair
    for ports in entry.ports:
        yield "peer_port", (*pair, _NUMBER[ports.protocol], (ports.first, ports.last))


def _exposed(spec: NetworkSpec, expose: Expose) -> Iterator[tuple[str, Element]]:
    protocol = _NUMBER[expose.protocol]
    for version in expose.versions:
        address = spec.ipv4 if version == 4 else spec.ipv6
        if address is None:
            continue
        name = f"expose{version}" if expose.any_address else f"expose{version}_on"
        where = () if expose.any_address else (expose.host_ip,)
        yield name, (*where, protocol, expose.host_ports, address)
        for host_port, container_port in expose.shifted():
            yield f"{name}_port", (*where, protocol, host_port, container_port)


def plan_projection(
    view: NetworkView, focus: Collection[str], forwarding: str = "enable", firewall: str = "report"
) -> tuple[Action, ...]:
    """What makes the kernel agree with the specs in `view`.

    Links and files are judged for the containers in `focus`, the firewall's table always as a whole. Closed before
    open: links go before the elements that keep them closed, and come after the table and its elements. `forwarding`
    "require" raises HostNotCapable if the host would have to be changed, and "leave" leaves it as it is; `firewall`
    "accept" lets containers' packets through other firewalls.
    """
    looked_at = [view.containers[name] for name in sorted(focus) if name in view.containers]
    gone = [Disconnect(link_name(c.name)) for c in looked_at if c.pair is not None and _must_go(c)]
    gone += [Disconnect(outer) for outer in view.stray_links]
    enabling = plan_enabling(view, forwarding)
    actions: list[Action] = [*gone, *plan_disabling(view), *plan_fence(view)]
    actions += [change for change in _plan_localnet(looked_at) if not change.allowed]
    actions += plan_firewall(view, {action.outer for action in gone})
    actions += enabling
    for container in looked_at:
        problems = _problems(container)
        if container.spec is not None and problems is not None:
            actions.append(Connect(container.name, Link.of(container.name, container.spec), problems))
    actions += [change for change in _plan_localnet(looked_at) if change.allowed]
    actions += plan_other_firewalls(view.other_chains, firewall == "accept" and any(view.connected()))
    for container in looked_at:
        if container.files is not None and container.damage is None:
            wanted = inside_files(view, container.name, container.hostname, container.files)
            differing = {p: text for p, text in wanted.items() if p in container.files and container.files[p] != text}
            if differing:
                actions.append(WriteInsideFiles(container.name, differing))
    return tuple(actions)


def _must_go(container: ContainerView) -> bool:
    return container.damage is None and not (container.attached and container.spec)


def _problems(container: ContainerView) -> tuple[str, ...] | None:
    """Why the container's link must be made anew, () if there is none yet; None if it need not."""
    if not container.attached or container.spec is None:
        return None
    if container.pair is None:
        return ()
    return problems_of(Link.of(container.name, container.spec), container.pair) or None


def _plan_localnet(containers: Collection[ContainerView]) -> list[RouteLocalnet]:
    """A link that is made anew routes nothing to localhost."""
    changes = []
    for container in containers:
        if container.attached and container.spec is not None:
            outer, fresh = link_name(container.name), _problems(container) is not None
            allowed = False if fresh or container.pair is None else container.pair.routes_localnet(outer)
            if allowed != needs_localnet(container.spec):
                changes.append(RouteLocalnet(outer, not allowed))
    return changes


def needs_localnet(spec: NetworkSpec) -> bool:
    """Whether a port of the container is exposed on the host's own 127.0.0.0/8."""
    exposes = (expose for expose in spec.expose if 4 in expose.versions)
    return any(expose.any_address or expose.host_ip.startswith("127.") for expose in exposes)


def plan_firewall(view: NetworkView, gone: Collection[str] = ()) -> list[Action]:
    """The one update that makes the tables right, which go with the last container that needs them.

    `gone`: host ends that are deleted before.
    """
    wanted: Elements = wanted_elements(view)
    damaged = any(container.damage and container.attached for container in view.containers.values())
    if not any(wanted.values()) and not damaged:
        return [UpdateFirewall(tuple(delete_commands()))] if view.firewall.base is not None else []
    if damaged:
        wanted = _with_unknown(view, wanted)
    present = view.links - set(gone)
    links = {link_name(c.name) for c in view.containers.values() if c.attached and (c.spec or c.damage)} & present
    lost = (view.firewall.links | view.firewall.damaged_links) - present
    commands = update_commands(view.firewall, wanted, links, lost)
    return [UpdateFirewall(tuple(commands))] if commands else []


def _with_unknown(view: NetworkView, wanted: Elements) -> Elements:
    """`wanted` and what the table has for a container whose spec cannot be read: that stays as it is.

    An element belongs to such a one where it names neither a link nor an address of any other.
    """
    known: set[object] = set()
    for container in view.containers.values():
        if container.damage is None:
            known.add(link_name(container.name))
            if container.spec:
                known |= {container.spec.ipv4, container.spec.ipv6}
    kept = {}
    for name, present in view.firewall.elements.items():
        keys = [_key(name, element) for element in wanted[name]]
        kept[name] = frozenset(
            e for e in present if not known & set(e) and not any(_is_same_key(_key(name, e), key) for key in keys)
        )
    return {name: wanted[name] | kept.get(name, frozenset()) for name in wanted}


def _key(name: str, element: Element) -> Element:
    return element[:-1] if ALL_SETS[name][1] else element


def _is_same_key(one: Element, other: Element) -> bool:
    """Whether a packet could be meant by both, ranges of ports included."""
    return all(overlaps(a, b) if isinstance(a, tuple) and isinstance(b, tuple) else a == b for a, b in zip(one, other))
