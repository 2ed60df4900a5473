# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute the network spec of a container from the options of conductor_network. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..._engine.action import Action
from ..._errors import Conflict, Damaged, HostNotCapable, container_not_found, mark_pending
from ..spec.network import NetworkSpec, mac_of
from ..spec.options import NetworkOptions
from ..spec.pool import Network, allocate, gateway_of, is_assignable, overlapping
from .port_conflicts import check_host_ports
from .view import ContainerView, NetworkView


@dataclass(frozen=True)
class WriteNetworkSpec(Action):
    """Store the requested network of a container."""

    container: str
    spec: NetworkSpec

    def describe(self) -> str:
        return f"write the network of {self.container}"


@dataclass(frozen=True)
class RemoveNetworkSpec(Action):
    """Remove the stored network of a container, which frees its addresses."""

    container: str

    def describe(self) -> str:
        return f"remove the network of {self.container}"


def require_container(view: NetworkView, name: str) -> ContainerView:
    """Return the container `name`. Raises NotFound or Damaged."""
    container = view.containers.get(name)
    if container is None:
        raise mark_pending(container_not_found(name))
    if container.damage:
        raise Damaged(container.damage)
    return container


def wanted_spec(view: NetworkView, name: str, options: NetworkOptions) -> NetworkSpec:
    """Return `requested_spec`. Raises its errors, and Conflict if a host port is in use."""
    spec = requested_spec(view, name, options)
    check_host_ports(view, view.with_spec(name, spec), [name])
    return spec


def requested_spec(view: NetworkView, name: str, options: NetworkOptions) -> NetworkSpec:
    """Return the spec that `options` request for container `name`, with its addresses. Does not check host ports.

    The container keeps its current address if the pool contains it. Raises NotFound, Damaged, HostNotCapable, and
    Conflict if an address is in use, or if the pool is full or overlaps a network of the host.
    """
    container = require_container(view, name)
    current = container.spec
    if options.ipv6 and not view.ipv6:
        raise HostNotCapable(
            f"container {name}: ipv6 is set, but this host has no IPv6",
            "omit ipv6, or enable IPv6 (net.ipv6.conf.all.disable_ipv6=0)",
        )
    ipv4 = _address(view, name, options.pool4, options.ipv4, current.ipv4 if current else None)
    ipv6 = _address(view, name, options.pool6, options.ipv6, current.ipv6 if current else None) if view.ipv6 else None
    return NetworkSpec(
        container_id=container.container_id,
        ipv4=ipv4,
        gateway4=gateway_of(options.pool4),
        ipv6=ipv6,
        gateway6=gateway_of(options.pool6) if ipv6 else None,
        mac=options.mac or (current.mac if current else mac_of(container.container_id)),
        mtu=options.mtu,
        internet=options.internet,
        uplink=options.uplink,
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
    """Return `spec` without peer entries for removed containers."""
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
        raise Damaged(f"container {name}: no address can be allocated while others are unknown: {view.damage}")
    clash = overlapping(pool, view.networks)
    if clash:
        raise Conflict(
            f"container {name}: pool{pool.version} {pool} overlaps the network {clash[0]} on {clash[1]} of this host",
            f"set pool{pool.version} to a private network that this host does not use",
        )
    holders = _holders(view, name, pool.version)
    if static is None:
        return allocate(pool, holders)
    if static in holders:
        raise Conflict(
            f"container {name}: address {static} is already used by container {holders[static]}",
            f"choose another address, or omit ipv{pool.version}",
        )
    return static


def _holders(view: NetworkView, name: str, version: int) -> dict[str, str]:
    """Return the addresses of all other containers, each with the container's name."""
    specs = ((c.name, c.spec) for c in view.containers.values() if c.spec is not None and c.name != name)
    found = ((spec.ipv4 if version == 4 else spec.ipv6, holder) for holder, spec in specs)
    return {address: holder for address, holder in found if address}
