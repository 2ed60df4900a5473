# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's plan does to the network of its host and to the containers that call it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .._model.network import link_name
from .action import Action, Plan
from .container import CleanUp, CreateContainer, RemoveContainer, StartProcess, UpdateSpec
from .firewall import BASE, Firewall
from .forwarding import DisableForwarding, EnableForwarding, SetFence
from .network import Connect, Disconnect, WriteInsideFiles, plan_projection, wanted_elements
from .network_view import NetworkView


@dataclass(frozen=True)
class NetworkEffect(Action):
    """Shown, and carried out with the action of the container before it: `what` happens to the network."""

    what: str

    def describe(self) -> str:
        return self.what


def touches_network(planned: Plan) -> bool:
    """Whether one of the actions may have such an effect."""
    return any(
        isinstance(action, (CleanUp, RemoveContainer, StartProcess)) or _renames(action) for action in planned.actions
    )


def callers_of(view: NetworkView, name: str) -> set[str]:
    """The containers that have `name` as a peer, and so its names in their /etc/hosts."""
    return {c.name for c in view.containers.values() if c.spec and any(e.peer == name for e in c.spec.peers)}


def with_network_effects(planned: Plan, view: NetworkView, name: str, forwarding: str, firewall: str) -> Plan:
    """`planned` with the effects after the action that each belongs to. `view` has looked at `name` and its callers."""
    actions: list[Action] = []
    for action in planned.actions:
        actions.append(action)
        if name not in view.containers or isinstance(action, CreateContainer):
            continue
        container = view.containers[name]
        if isinstance(action, CleanUp):
            after = replace(container, damage=None, attached=False, files=None)
            view, effects = _project(_with(view, name, after), {name}, firewall)
            actions += effects
        elif isinstance(action, StartProcess):
            after = replace(container, hostname=action.spec.hostname, attached=True, pair=None, files=None)
            if container.spec is not None:
                view, effects = _project(_with(view, name, after), {name}, firewall, forwarding)
                actions += effects
        elif isinstance(action, RemoveContainer):
            others = {other: c for other, c in view.containers.items() if other != name}
            callers = callers_of(view, name)
            view, effects = _project(replace(view, containers=others), callers, firewall)
            actions += effects
        elif _renames(action):
            view = _with(view, name, replace(container, hostname=action.spec.hostname))
            view, effects = _project(view, callers_of(view, name), firewall, files_only=True)
            actions += effects
    return Plan(tuple(actions), planned.before, planned.after)


def _renames(action: Action) -> bool:
    return isinstance(action, UpdateSpec) and "hostname" in action.options


def _with(view: NetworkView, name: str, container) -> NetworkView:
    return replace(view, containers={**view.containers, name: container})


def _project(
    view: NetworkView, focus: set[str], firewall: str, forwarding: str = "enable", files_only: bool = False
) -> tuple[NetworkView, list[NetworkEffect]]:
    """The effects of making the kernel agree with `view`, and the view in which it does.

    `forwarding` "require" refuses a start only: a stop is never refused.
    """
    actions = [
        action
        for action in plan_projection(view, focus, forwarding, firewall)
        if not files_only or isinstance(action, WriteInsideFiles)
    ]
    if not files_only:
        view = _carried_out(view, focus, actions)
    return view, [NetworkEffect(action.describe()) for action in actions]


def _carried_out(view: NetworkView, focus: set[str], actions: list[Action]) -> NetworkView:
    """What `view` would be after `actions`, as far as what follows in the same plan depends on it."""
    forwarding, links = view.forwarding, set(view.links)
    for action in actions:
        if isinstance(action, (EnableForwarding, DisableForwarding)):
            on, version = isinstance(action, EnableForwarding), frozenset({action.version})
            ours = forwarding.ours | version if on else forwarding.ours - version
            forwarding = replace(forwarding, ours=ours, **{f"ipv{action.version}": on})
        elif isinstance(action, SetFence):
            forwarding = replace(forwarding, fence=action.wanted)
        elif isinstance(action, Connect):
            links.add(action.link.outer)
        elif isinstance(action, Disconnect):
            links.discard(action.outer)
    view = replace(view, forwarding=forwarding, links=frozenset(links))
    elements = wanted_elements(view)
    ours = frozenset(link_name(name) for name, c in view.containers.items() if c.attached and c.spec)
    return replace(
        view,
        firewall=Firewall(BASE, elements, True, ours & view.links) if any(elements.values()) else Firewall(),
        containers={name: replace(c, pair=None) if name in focus else c for name, c in view.containers.items()},
    )
