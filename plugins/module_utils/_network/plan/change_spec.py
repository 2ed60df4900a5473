# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of conductor_network to the spec of one container. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..._engine.action import Action
from ..._errors import Conflict, Damaged, HostNotCapable, NotFound, not_yet
from ..spec.network import NetworkSpec, mac_of
from ..spec.options import NetworkOptions
from ..spec.pool import Network, allocate, gateway_of, is_assignable, overlapping
from ..spec.ports import Expose
from .port_conflicts import listeners_on
from .view import ContainerView, NetworkView


@dataclass(frozen=True)
class WriteNetworkSpec(Action):
    """Store what a container's network is to be."""

    container: str
    spec: NetworkSpec

    def describe(self) -> str:
        return f"write the network of {self.container}"


@dataclass(frozen=True)
class RemoveNetworkSpec(Action):
    """Forget a container's network, which frees its addresses."""

    container: str

    def describe(self) -> str:
        return f"remove the network of {self.container}"


def require_container(view: NetworkView, name: str) -> ContainerView:
    """The container `name`. Raises NotFound or Damaged."""
    container = view.containers.get(name)
    if container is None:
        raise not_yet(NotFound(f"there is no container {name}", "create it with conductor_container"))
    if container.damage:
        raise Damaged(container.damage)
    return container


def wanted_spec(view: NetworkView, name: str, options: NetworkOptions) -> NetworkSpec:
    """The spec that `options` mean for the container `name`, with its addresses.

    An address that the container has stays, while the pool has it. Raises NotFound, Damaged, HostNotCapable, and
    Conflict where an address or a host port is taken or the pool has no room or overlaps the host's networks.
    """
    container = require_container(view, name)
    current = container.spec
    if options.ipv6 and not view.ipv6:
        raise HostNotCapable(
            "this host has no IPv6", "leave out ipv6, or enable IPv6 (net.ipv6.conf.all.disable_ipv6=0)"
        )
    ipv4 = _address(view, name, options.pool4, options.ipv4, current.ipv4 if current else None)
    ipv6 = _address(view, name, options.pool6, options.ipv6, current.ipv6 if current else None) if view.ipv6 else None
    _check_exposes(view, name, options.expose, current.expose if current else ())
    return NetworkSpec(
        container_id=container.container_id,
        ipv4=ipv4,
        gateway4=gateway_of(options.pool4),
        ipv6=ipv6,
        gateway6=gateway_of(options.pool6) if ipv6 else None,
        mac=options.mac or (current.mac if current else mac_of(container.container_id)),
        mtu=options.mtu,
        internet=options.internet,
        interface=options.interface,
        host_access=options.host_access,
        metadata=options.metadata,
        dns=options.dns,
        dns_search=options.dns_search,
        dns_options=options.dns_options,
        extra_hosts=options.extra_hosts,
        expose=options.expose,
        peers=current.peers if current else (),
    )


def without_dangling_peers(view: NetworkView, spec: NetworkSpec) -> NetworkSpec:
    """`spec` without entries for containers that are gone."""
    return replace(
        spec, peers=tuple(e for e in spec.peers if _is_container(view.containers.get(e.peer), e.peer_id))
    )  # fmt: skip


def _is_container(container: ContainerView | None, container_id: str) -> bool:
    return container is not None and (container.container_id == container_id or container.damage is not None)


def _address(view: NetworkView, name: str, pool: Network, static: str | None, current: str | None) -> str:
    if static is None and current is not None and is_assignable(pool, current):
        return current
    if static is not None and static == current:
        return current
    if view.damage:
        raise Damaged(view.damage, "no address is given out while it is unknown which are taken")
    clash = overlapping(pool, view.networks)
    if clash:
        raise Conflict(
            f"the pool {pool} overlaps {clash[0]} on {clash[1]}, which this host uses",
            f"set pool{pool.version} to a private network that is free here",
        )
    holders = _holders(view, name, pool.version)
    if static is None:
        return allocate(pool, holders)
    if static in holders:
        raise Conflict(f"the address {static} belongs to the container {holders[static]}", "give another, or none")
    return static


def _holders(view: NetworkView, name: str, version: int) -> dict[str, str]:
    """Address to container, of all others."""
    specs = ((c.name, c.spec) for c in view.containers.values() if c.spec is not None and c.name != name)
    found = ((spec.ipv4 if version == 4 else spec.ipv6, holder) for holder, spec in specs)
    return {address: holder for address, holder in found if address}


def _check_exposes(view: NetworkView, name: str, wanted: Iterable[Expose], current: Iterable[Expose]) -> None:
    held = [(c.name, e) for c in view.containers.values() if c.spec and c.name != name for e in c.spec.expose]
    present = set(current)
    for expose in wanted:
        for holder, other in held:
            if expose.overlaps(other):
                raise Conflict(
                    f"the host port {expose} is exposed by the container {holder} already ({other})",
                    "choose another host_port, or take it away there",
                )
        if expose not in present:
            _check_listeners(view, expose)


def _check_listeners(view: NetworkView, expose: Expose) -> None:
    for found in listeners_on(expose, view.listeners):
        raise Conflict(
            f"this host itself listens on port {found.port}/{found.protocol} of {found.address}"
            + (f": {found.process}" if found.process else ""),
            "choose another host_port, or stop that service",
        )
