# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of all members of a stack: their specs and peers, and the actions for them together. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from ..._engine.action import Action
from ..._errors import Conflict
from ..._network.plan.change_spec import (
    RemoveNetworkSpec,
    WriteNetworkSpec,
    requested_spec,
    require_container,
    without_dangling_peers,
)
from ..._network.plan.foresight import callers_of, stand_ins_of, view_after
from ..._network.plan.port_conflicts import check_host_ports
from ..._network.plan.projection import plan_projection
from ..._network.plan.view import ContainerView, NetworkView
from ..._network.spec.network import NetworkSpec, PeerEntry, StandIn
from ..._network.spec.options import NetworkOptions
from ..._network.spec.ports import PortRange, merge_port_ranges
from ..spec.stack import Peer


@dataclass(frozen=True)
class NetworkWish:
    """The requested network of a member, None for no network, and its peers, None for the present ones.

    `keeps_network`: a network that exists stays as it is, except for the peers. `restored`: the whole network as it was
    before an update, instead. `stand_in`: the container to which new connections lead meanwhile.
    """

    options: NetworkOptions | None
    peers: tuple[Peer, ...] | None = ()
    keeps_network: bool = False
    restored: NetworkSpec | None = None
    stand_in: StandIn | None = None

    def gives_network(self, has_network: bool) -> bool:
        """Return whether the container will have a network; `has_network`: whether it has one."""
        return self.options is not None or self.restored is not None or (self.keeps_network and has_network)

    def without_peers(self, missing: Collection[str]) -> NetworkWish:
        """Return the wish without those of its peers that are `missing`. The present peers stay if they are to stay."""
        if self.peers is None:
            return self
        return replace(self, peers=tuple(peer for peer in self.peers if peer.name not in missing))


@dataclass(frozen=True)
class Policy:
    """The settings `forwarding` and `firewall` of the host."""

    forwarding: str
    firewall: str


def plan_detach(view: NetworkView, names: Collection[str], policy: Policy) -> tuple[tuple[Action, ...], NetworkView]:
    """Return the actions that detach stopped containers, and the view without them. Reads nothing inside."""
    stopped = {
        name: replace(view.containers[name], damage=None, attached=False, files=None)
        for name in names
        if name in view.containers
    }
    view = replace(view, containers={**view.containers, **stopped})
    # Forwarding must never be the reason to refuse a stop.
    actions = plan_projection(view, set(stopped), "leave", policy.firewall)
    return actions, view_after(view, set(stopped), actions)


def plan_attach(view: NetworkView, wishes: Mapping[str, NetworkWish], policy: Policy) -> tuple[Action, ...]:
    """Return the actions that give the containers of `wishes` their networks, as far as they are in `view`.

    Raises Conflict, NotFound, Damaged, HostNotCapable.
    """
    specs, after = plan_specs(view, wishes)
    # Stand-ins before and after the change.
    concerned = {*wishes, *stand_ins_of(view, wishes), *stand_ins_of(after, wishes)}
    focus = concerned.union(*(callers_of(after, name) for name in wishes)) & after.containers.keys()
    return (*specs, *plan_projection(after, focus, policy.forwarding, policy.firewall))


def plan_specs(view: NetworkView, wishes: Mapping[str, NetworkWish]) -> tuple[list[Action], NetworkView]:
    """Return the specs to write and to remove, and the view with them. Raises the errors of `plan_attach`."""
    wishes = {name: wish for name, wish in wishes.items() if name in view.containers}
    after = view
    # Ports and addresses of members that change are free for other members, and fixed addresses are taken.
    for name, wish in wishes.items():
        after = after.with_spec(name, _claimed(require_container(view, name).spec, wish))
    asking = []
    for name, wish in wishes.items():
        present = view.containers[name].spec
        after = after.with_spec(name, present)
        if not wish.keeps_network or present is None:
            after = after.with_spec(name, _wanted_spec(after, name, wish))
            if wish.restored is None:
                asking.append(name)
    check_host_ports(view, after, asking)
    for name, entries in _peer_entries(after, wishes).items():
        spec = after.containers[name].spec
        if spec is not None:
            after = after.with_spec(name, replace(spec, peers=entries))
    actions: list[Action] = []
    for name, container in after.containers.items():
        present, wanted = view.containers[name].spec, container.spec
        if wanted is None:
            actions += [RemoveNetworkSpec(name)] if present is not None else []
        elif present is None or without_dangling_peers(after, present) != wanted:
            actions.append(WriteNetworkSpec(name, wanted))
    return actions, after


def _wanted_spec(view: NetworkView, name: str, wish: NetworkWish) -> NetworkSpec | None:
    if wish.restored is not None:
        return replace(wish.restored, stand_in=wish.stand_in)
    if wish.options is None:
        return None
    return replace(requested_spec(view, name, wish.options), stand_in=wish.stand_in)


def _peer_entries(view: NetworkView, wishes: Mapping[str, NetworkWish]) -> dict[str, tuple[PeerEntry, ...]]:
    """Return the peers of the members whose peers are given. Raises Conflict, NotFound."""
    allowed: dict[str, dict[str, tuple[PortRange, ...]]] = {
        name: {} for name, wish in wishes.items() if wish.peers is not None
    }
    for name, wish in wishes.items():
        for peer in wish.peers or ():
            if require_container(view, name).spec is None:
                raise Conflict(f"container {name} has peers, but no network", "set its network")
            if require_container(view, peer.name).spec is None:
                raise Conflict(f"container {peer.name} has no network, and is a peer of {name}", "set its network")
            for caller, called in ((name, peer.name), *(((peer.name, name),) if peer.both else ())):
                if caller in allowed:
                    allowed[caller][called] = _ports_of_both(allowed[caller].get(called), peer.ports)
    return {
        caller: tuple(sorted(PeerEntry(called, view.containers[called].container_id, ports)
                             for called, ports in found.items()))
        for caller, found in allowed.items()
    }  # fmt: skip


def _ports_of_both(present: tuple[PortRange, ...] | None, more: tuple[PortRange, ...]) -> tuple[PortRange, ...]:
    """Return the ports that one of two entries allows; () is every port."""
    if present is None or not more:
        return more
    return merge_port_ranges({*present, *more}) if present else ()


def _claimed(spec: NetworkSpec | None, wish: NetworkWish) -> NetworkSpec | None:
    """Return the addresses that a member has, or will have, as far as they are known before it is planned."""
    if wish.restored is not None:
        return wish.restored
    if wish.keeps_network and spec is not None:
        return spec
    if wish.options is None:
        return None
    if spec is None:
        spec = NetworkSpec(container_id="", ipv4="", gateway4="", mac="")
    return replace(spec, ipv4=wish.options.ipv4 or spec.ipv4, ipv6=wish.options.ipv6 or spec.ipv6, expose=())


def with_members(
    view: NetworkView, hostnames: Mapping[str, str], attached: Collection[str], removed: Collection[str]
) -> NetworkView:
    """Return `view` with the containers that the stack would create, start and remove, for check mode.

    `hostnames`: of all members that would exist; `attached`: those that would have a new network namespace.
    """
    containers = {name: found for name, found in view.containers.items() if name not in removed}
    for name, hostname in hostnames.items():
        # The id of a container that does not exist yet is not known.
        unknown = ContainerView(name, hashlib.sha256(name.encode()).hexdigest()[:16], hostname)
        found = replace(containers.get(name, unknown), hostname=hostname)
        containers[name] = replace(found, attached=True, pair=None, files=None) if name in attached else found
    return replace(view, containers=containers)
