# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the network stages of a container, and predict their actions in check mode. Pure.

A stage is planned by `plan_projection` on the view at the time of the stage. Check mode uses the same function on the
view that the preceding actions would have produced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from ..._engine.action import Action
from ..spec.network import link_name
from .firewall_table import Firewall, base_of
from .forwarding import DisableForwarding, EnableForwarding, SetFence
from .projection import Connect, Disconnect, WriteInsideFiles, plan_projection, wanted_elements
from .stages import AttachNetwork, DetachNetwork, NetworkStage, RemoveNameFromCallers, UpdateNameInCallers
from .view import NetworkView


def callers_of(view: NetworkView, name: str) -> set[str]:
    """Return the containers that have `name` as a peer, and so its names in their /etc/hosts."""
    return {c.name for c in view.containers.values() if c.spec and any(e.peer == name for e in c.spec.peers)}


def stand_ins_of(view: NetworkView, names: Iterable[str]) -> set[str]:
    """Return the containers that stand in for some of `names` by their specs."""
    specs = (view.containers[name].spec for name in names if name in view.containers)
    return {spec.stand_in.name for spec in specs if spec and spec.stand_in}


def focus_of(stage: NetworkStage, view: NetworkView) -> set[str]:
    """Return the containers that a stage concerns."""
    if isinstance(stage, (AttachNetwork, DetachNetwork)):
        return {stage.container}
    return callers_of(view, stage.container)


def with_stage(view: NetworkView, stage: NetworkStage) -> NetworkView:
    """Return `view` with the container in the state that the stage finds."""
    containers, container = dict(view.containers), view.containers.get(stage.container)
    if container is None:
        return view
    if isinstance(stage, RemoveNameFromCallers):
        del containers[stage.container]
    elif isinstance(stage, DetachNetwork):
        containers[stage.container] = replace(container, damage=None, attached=False, files=None)
    elif isinstance(stage, AttachNetwork):
        containers[stage.container] = replace(container, hostname=stage.hostname, attached=True)
    elif isinstance(stage, UpdateNameInCallers):
        containers[stage.container] = replace(container, hostname=stage.hostname)
    return replace(view, containers=containers)


def plan_stage(stage: NetworkStage, view: NetworkView, forwarding: str, firewall: str) -> tuple[Action, ...]:
    """Return the actions of `stage` for `view`, which must cover the focus of the stage.

    Raises HostNotCapable like `plan_projection`.
    """
    view = with_stage(view, stage)
    # Only a start requires forwarding: it must never be the reason to refuse a stop.
    forwarding = forwarding if isinstance(stage, AttachNetwork) else "leave"
    actions = plan_projection(view, focus_of(stage, view), forwarding, firewall)
    if isinstance(stage, UpdateNameInCallers):
        return tuple(action for action in actions if isinstance(action, WriteInsideFiles))
    return actions


def predict_actions(actions: Iterable[Action], view: NetworkView, forwarding: str, firewall: str) -> list[Action]:
    """Return `actions` of a container, with its stages planned. `view` must cover the container and its callers."""
    foreseen: list[Action] = []
    for action in actions:
        if not isinstance(action, NetworkStage):
            foreseen.append(action)
            continue
        own = view.containers.get(action.container)
        if isinstance(action, AttachNetwork) and own is not None and not own.attached:
            # Its root is not mounted yet, and its network namespace will be new.
            view = replace(view, containers={**view.containers, own.name: replace(own, pair=None, files=None)})
        planned = plan_stage(action, view, forwarding, firewall)
        view = with_stage(view, action)
        if not isinstance(action, UpdateNameInCallers):
            view = view_after(view, focus_of(action, view), planned)
        foreseen += planned
    return foreseen


def view_after(view: NetworkView, focus: Collection[str], actions: Iterable[Action]) -> NetworkView:
    """Return `view` after `actions` for the containers in `focus`, as far as later actions of a plan depend on it."""
    forwarding, links = view.forwarding, set(view.links)
    for action in actions:
        if isinstance(action, (EnableForwarding, DisableForwarding)):
            on, version = isinstance(action, EnableForwarding), frozenset({action.version})
            versions = forwarding.ours | version if on else forwarding.ours - version
            forwarding = (
                replace(forwarding, ours=versions, ipv4=on)
                if action.version == 4
                else replace(forwarding, ours=versions, ipv6=on)
            )
        elif isinstance(action, SetFence):
            forwarding = replace(forwarding, fence=action.wanted)
        elif isinstance(action, Connect):
            links.add(action.link.outer)
        elif isinstance(action, Disconnect):
            links.discard(action.outer)
    view = replace(view, forwarding=forwarding, links=frozenset(links))
    elements = wanted_elements(view)
    ours = frozenset(link_name(name) for name, c in view.containers.items() if c.attached and c.spec)
    base = base_of(view.most_connections)
    return replace(
        view,
        firewall=Firewall(base, elements, True, ours & view.links) if any(elements.values()) else Firewall(),
        containers={name: replace(c, pair=None) if name in focus else c for name, c in view.containers.items()},
    )
