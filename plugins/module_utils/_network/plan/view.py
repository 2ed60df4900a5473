# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observed state of a host's containers and network, the input of every plan."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..spec.network import NetworkSpec, PeerEntry
from .firewall_rules import MOST_CONNECTIONS
from .firewall_table import Firewall
from .foreign_firewalls import ForeignChain
from .veth import Pair


@dataclass(frozen=True)
class ContainerView:
    """One container.

    `attached`: whether its network namespace exists, and so its link and nftables elements must. `pair`: its veth pair
    as found, None if the host end does not exist. `files`: content of its files that name hosts, None for a missing
    one, without files that are mounted and so not ours to write. None if the container does not run. `unwritable`:
    files that cannot be written because of what the container has in their place, each with the reason.
    """

    name: str
    container_id: str = ""
    hostname: str = ""
    spec: NetworkSpec | None = None
    damage: str | None = None
    attached: bool = False
    pair: Pair | None = None
    files: Mapping[str, bytes | None] | None = None
    unwritable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fence:
    """Interfaces, each with an IP version, and networks between which the host forwards only packets of containers."""

    interfaces: frozenset[tuple[int, str]] = frozenset()
    networks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Forwarding:
    """Whether the host forwards IPv4 and IPv6.

    `needs_accept_ra`: interfaces that would lose their default route if IPv6 forwarding were enabled. `ours`: IP
    versions that are forwarded for containers only. `fence`: the fence as found. `around`: the fence that both IP
    versions require.
    """

    ipv4: bool = True
    ipv6: bool = True
    needs_accept_ra: tuple[str, ...] = ()
    ours: frozenset[int] = frozenset()
    fence: Fence = field(default_factory=Fence)
    around: Fence = field(default_factory=Fence)


@dataclass(frozen=True, order=True)
class Listening:
    """A listening socket of the host."""

    protocol: str
    address: str
    port: int
    process: str = ""


@dataclass(frozen=True)
class Resolver:
    """A name server of the host. `is_host`: the host has its address; `interface`: the interface that leads to it."""

    address: str
    is_host: bool = False
    interface: str | None = None


@dataclass(frozen=True)
class HostDns:
    """Content of the host's resolv.conf(5)."""

    servers: tuple[Resolver, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkView:
    """All state that a network plan depends on.

    `links`: existing host ends, of all containers. `uplinks`: interfaces with a default route. `ipv6`: whether the host
    has IPv6. `most_connections`: limit of open connections for each container.
    """

    containers: Mapping[str, ContainerView] = field(default_factory=dict)
    firewall: Firewall = field(default_factory=Firewall)
    forwarding: Forwarding = field(default_factory=Forwarding)
    links: frozenset[str] = frozenset()
    uplinks: tuple[str, ...] = ()
    stray_links: tuple[str, ...] = ()
    other_chains: tuple[ForeignChain, ...] = ()
    networks: tuple[tuple[str, str], ...] = ()
    listeners: tuple[Listening, ...] = ()
    host_dns: HostDns = field(default_factory=HostDns)
    ipv6: bool = True
    most_connections: int = MOST_CONNECTIONS

    def with_spec(self, name: str, spec: NetworkSpec | None) -> NetworkView:
        """Return the view with `spec` stored for container `name`."""
        changed = replace(self.containers[name], spec=spec)
        return replace(self, containers={**self.containers, name: changed})

    def fenced_as(self, first: NetworkView, own: Collection[str]) -> NetworkView:
        """Return the view with all facts of the `first` view of a run that others change without the network lock.

        These are the required fence, the uplinks, the host's name servers, the limit of connections, and the state of
        containers that are not among its `own`, whose locks the run holds. So a run ends even if containers start or
        interfaces come and go. The runs that start the containers do the rest for them; the next run of any kind does
        the rest for the host.
        """
        containers = {
            name: _as_before(found, self.containers.get(name))
            for name, found in first.containers.items()
            if name not in own
        }
        containers.update((name, self.containers[name]) for name in own if name in self.containers)
        forwarding = replace(self.forwarding, around=first.forwarding.around)
        return replace(
            self,
            containers=containers,
            forwarding=forwarding,
            uplinks=first.uplinks,
            host_dns=first.host_dns,
            most_connections=first.most_connections,
        )

    def connected(self) -> Iterator[ContainerView]:
        """Return the containers that have a network namespace and a network."""
        return (c for c in self.containers.values() if c.attached and c.spec is not None)

    def peer_of(self, entry: PeerEntry) -> ContainerView | None:
        """Return the container of a peer entry if it exists with the same id and has a network, else None."""
        found = self.containers.get(entry.peer)
        return found if found and found.spec and found.container_id == entry.peer_id else None

    def stand_in_of(self, container: ContainerView) -> ContainerView | None:
        """Return the stand-in of `container`, if it is the same as stored and connected."""
        entry = container.spec.stand_in if container.spec else None
        found = self.containers.get(entry.name) if entry else None
        if not entry or not found or not found.attached or not found.spec:
            return None
        return found if found.container_id == entry.container_id else None

    @functools.cached_property
    def replaced_by(self) -> Mapping[str, tuple[ContainerView, ...]]:
        """The containers in whose place each stand-in answers."""
        found: dict[str, tuple[ContainerView, ...]] = {}
        for container in self.containers.values():
            stand_in = self.stand_in_of(container)
            if stand_in is not None:
                found[stand_in.name] = (*found.get(stand_in.name, ()), container)
        return found

    @functools.cached_property
    def listeners_by_port(self) -> Mapping[str, list[tuple[int, Listening]]]:
        """The listening sockets of the host with their ports, sorted, by protocol."""
        found: dict[str, list[tuple[int, Listening]]] = {}
        for port, socket in sorted((socket.port, socket) for socket in self.listeners):
            found.setdefault(socket.protocol, []).append((port, socket))
        return found

    @property
    def damage(self) -> str | None:
        """Return the first damage of a state file, or None."""
        return next((c.damage for c in self.containers.values() if c.damage), None)


def _as_before(first: ContainerView, now: ContainerView | None) -> ContainerView:
    """Return the state `first` of a container with the link and the files that it has `now`, None if it is removed."""
    if now is None or not first.attached:
        # It has no link, and files that were written by its start.
        return replace(first, pair=None, files=None, unwritable={})
    if first.files is None:
        # It is starting: its start writes them.
        return replace(first, pair=now.pair)
    return replace(first, pair=now.pair, files=now.files, unwritable=now.unwritable)
