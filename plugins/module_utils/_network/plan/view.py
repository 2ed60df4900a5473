# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a host's containers and network before anything is planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..spec.network import NetworkSpec, PeerEntry
from .firewall_table import Firewall
from .foreign_firewalls import OtherChain
from .veth import Pair


@dataclass(frozen=True)
class ContainerView:
    """One container.

    `attached`: its network namespace exists, so its link and its firewall elements must.
    `pair`: its link as found, None where the host end is missing.
    `files`: content of its files that name hosts, None for one that is missing; without those that are not ours to
    write (somebody mounted them). None where it does not run.
    `unwritable`: those that cannot be written, since of what those inside have in their place, each with the reason.
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
    """Between these interfaces, each with an IP version, and to these networks the host forwards nothing of theirs."""

    interfaces: frozenset[tuple[int, str]] = frozenset()
    networks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Forwarding:
    """Whether the host routes, and the interfaces whose default route would go when it began to route IPv6.

    `ours`: the IP versions that it routes because of us; `fence`: what there is; `around`: what must be, for both.
    """

    ipv4: bool = True
    ipv6: bool = True
    needs_accept_ra: tuple[str, ...] = ()
    ours: frozenset[int] = frozenset()
    fence: Fence = field(default_factory=Fence)
    around: Fence = field(default_factory=Fence)


@dataclass(frozen=True, order=True)
class Listening:
    """A socket of the host itself."""

    protocol: str
    address: str
    port: int
    process: str = ""


@dataclass(frozen=True)
class Resolver:
    """The host's name server. `is_host`: its address is the host's own; `interface`: by which the host reaches it."""

    address: str
    is_host: bool = False
    interface: str | None = None


@dataclass(frozen=True)
class HostDns:
    """What the host's resolv.conf(5) says."""

    servers: tuple[Resolver, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkView:
    """All that the plan of a network looks at.

    `links`: host ends that exist, whoever is looked at; `uplinks`: interfaces with a default route; `ipv6`: whether
    this host has IPv6 at all.
    """

    containers: Mapping[str, ContainerView] = field(default_factory=dict)
    firewall: Firewall = field(default_factory=Firewall)
    forwarding: Forwarding = field(default_factory=Forwarding)
    links: frozenset[str] = frozenset()
    uplinks: tuple[str, ...] = ()
    stray_links: tuple[str, ...] = ()
    other_chains: tuple[OtherChain, ...] = ()
    networks: tuple[tuple[str, str], ...] = ()
    listeners: tuple[Listening, ...] = ()
    host_dns: HostDns = field(default_factory=HostDns)
    ipv6: bool = True

    def with_spec(self, name: str, spec: NetworkSpec | None) -> NetworkView:
        """The same host, were `spec` what is stored for the container `name`."""
        changed = replace(self.containers[name], spec=spec)
        return replace(self, containers={**self.containers, name: changed})

    def fenced_as(self, first: NetworkView) -> NetworkView:
        """The same host with the fence around what there was in the `first` look of a run: so that ends where
        interfaces come and go. What has come meanwhile is for the next run.
        """
        return replace(self, forwarding=replace(self.forwarding, around=first.forwarding.around))

    def connected(self) -> Iterator[ContainerView]:
        """The containers that have a network namespace and a network."""
        return (c for c in self.containers.values() if c.attached and c.spec is not None)

    def peer_of(self, entry: PeerEntry) -> ContainerView | None:
        """The container that a peer entry means: one that exists, is that very one, and has a network."""
        found = self.containers.get(entry.peer)
        return found if found and found.spec and found.container_id == entry.peer_id else None

    @property
    def damage(self) -> str | None:
        """The first damaged state file, if there is one."""
        return next((c.damage for c in self.containers.values() if c.damage), None)
