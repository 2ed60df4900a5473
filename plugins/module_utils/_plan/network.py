# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From all specs to what the kernel must have: links, the table's elements, files inside. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from .._errors import HostNotCapable
from .._model.network import Link, NetworkSpec, PeerEntry, link_name
from .._model.ports import Expose, PortRange, merge_port_ranges, overlaps
from .action import Action
from .firewall import Elements, delete_commands, update_commands
from .firewall_rules import SETS, TCP, UDP
from .inside_files import inside_files
from .link import problems_of
from .network_view import ContainerView, NetworkView
from .other_firewalls import plan_other_firewalls

_NUMBER = {"tcp": TCP, "udp": UDP}


@dataclass(frozen=True)
class EnableForwarding(Action):
    """Let the host route packets of one IP version (the sysctls that routers set)."""

    version: int

    def describe(self) -> str:
        return f"enable IPv{self.version} forwarding"


@dataclass(frozen=True)
class KeepAdvertisedRoute(Action):
    """accept_ra=2: the kernel forgets what routers advertise when it begins to route, unless told so (ip-sysctl)."""

    interface: str

    def describe(self) -> str:
        return f"keep accepting router advertisements on {self.interface}"


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
class UpdateFirewall(Action):
    """Commands for nft, one transaction."""

    commands: tuple[dict, ...]

    def describe(self) -> str:
        if any("chain" in command.get("add", {}) for command in self.commands):
            return "write the firewall table inet conductor"
        if not any("element" in next(iter(command.values())) for command in self.commands):
            return "delete the firewall table inet conductor"
        names = sorted({next(iter(command.values()))["element"]["name"] for command in self.commands})
        return f"update the firewall sets {', '.join(names)}"


@dataclass(frozen=True)
class WriteInsideFiles(Action):
    """Write files into a running container."""

    container: str
    files: Mapping[str, bytes]

    def describe(self) -> str:
        return f"write {', '.join(sorted(self.files))} in {self.container}"


def wanted_elements(view: NetworkView) -> dict[str, frozenset]:
    """The elements of the table's sets and maps for the containers that have a network namespace."""
    elements: dict[str, set] = {name: set() for name in SETS}
    for container in view.containers.values():
        for name, element in elements_of(view, container):
            elements[name].add(element)
    return {name: frozenset(found) for name, found in elements.items()}


def elements_of(view: NetworkView, container: ContainerView) -> Iterator[tuple[str, tuple]]:
    """Those of one container, each with the name of its set."""
    spec = container.spec
    if spec is None or not container.attached:
        return
    outer = link_name(container.name)
    yield "source4", (outer, spec.ipv4)
    if spec.ipv6:
        yield "source6", (outer, spec.ipv6)
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


def _peer_elements(view: NetworkView, outer: str, entry: PeerEntry) -> Iterator[tuple[str, tuple]]:
    peer = view.peer_of(entry)
    if peer is None or not peer.attached:
        return
    pair = (outer, link_name(peer.name))
    if not entry.ports:
        yield "peer", pair
    for ports in entry.ports:
        yield "peer_port", (*pair, _NUMBER[ports.protocol], (ports.first, ports.last))


def _exposed(spec: NetworkSpec, expose: Expose) -> Iterator[tuple[str, tuple]]:
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


def _connected(view: NetworkView) -> Iterator[ContainerView]:
    return (c for c in view.containers.values() if c.attached and c.spec is not None)


def plan_projection(
    view: NetworkView, focus: Collection[str], forwarding: str = "enable", firewall: str = "report"
) -> tuple[Action, ...]:
    """What makes the kernel agree with the specs in `view`.

    Links and files are judged for the containers in `focus`, the firewall's table always as a whole. Links come before
    the firewall that opens them. `forwarding` "require" raises HostNotCapable where the host would have to be changed;
    `firewall` "accept" lets containers' packets through other firewalls.
    """
    actions: list[Action] = []
    actions += _plan_forwarding(view, forwarding)
    looked_at = [view.containers[name] for name in sorted(focus) if name in view.containers]
    for container in looked_at:
        if container.attached and container.spec is not None:
            link = Link.of(container.name, container.spec)
            problems = problems_of(link, container.pair) if container.pair else ()
            if problems or container.pair is None:
                actions.append(Connect(container.name, link, problems))
    actions += plan_firewall(view)
    actions += plan_other_firewalls(view.other_chains, firewall == "accept" and any(_connected(view)))
    for container in looked_at:
        if container.pair is not None and container.damage is None and not (container.attached and container.spec):
            actions.append(Disconnect(link_name(container.name)))
    actions += [Disconnect(outer) for outer in view.stray_links]
    for container in looked_at:
        if container.files is not None and container.damage is None:
            wanted = inside_files(view, container.name, container.hostname, container.files)
            differing = {p: text for p, text in wanted.items() if p in container.files and container.files[p] != text}
            if differing:
                actions.append(WriteInsideFiles(container.name, differing))
    return tuple(actions)


def _plan_forwarding(view: NetworkView, forwarding: str) -> list[Action]:
    off = [
        version
        for version, on in ((4, view.forwarding.ipv4), (6, view.forwarding.ipv6))
        if not on and any(version == 4 or c.spec.ipv6 for c in _connected(view))
    ]
    if off and forwarding == "require":
        raise HostNotCapable(
            f"this host does not forward IPv{off[0]} packets",
            "set net.ipv4.ip_forward and net.ipv6.conf.all.forwarding to 1, or use forwarding: enable",
        )
    actions: list[Action] = []
    if 6 in off:
        actions += [KeepAdvertisedRoute(interface) for interface in view.forwarding.needs_accept_ra]
    return actions + [EnableForwarding(version) for version in off]


def plan_firewall(view: NetworkView) -> list[Action]:
    """The one update that makes the table right; the table goes with the last container that needs it."""
    wanted: Elements = wanted_elements(view)
    damaged = any(container.damage and container.attached for container in view.containers.values())
    if not any(wanted.values()) and not damaged:
        return [UpdateFirewall(tuple(delete_commands()))] if view.firewall.base is not None else []
    if damaged:
        wanted = _with_unknown(view, wanted)
    commands = update_commands(view.firewall, wanted)
    return [UpdateFirewall(tuple(commands))] if commands else []


def _with_unknown(view: NetworkView, wanted: Elements) -> Elements:
    """`wanted` and what the table has for a container whose spec cannot be read: that stays as it is.

    An element belongs to such a one where it names neither a link nor an address of any other.
    """
    known = set()
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


def _key(name: str, element: tuple) -> tuple:
    return element[:-1] if SETS[name][1] else element


def _is_same_key(one: tuple, other: tuple) -> bool:
    """Whether a packet could be meant by both, ranges of ports included."""
    return all(overlaps(a, b) if isinstance(a, tuple) else a == b for a, b in zip(one, other))
