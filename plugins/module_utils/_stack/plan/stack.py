# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan of a stack: the actions of its containers in phases, with their networks changed together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..._container.plan.container import (
    CancelStop,
    ContainerView,
    CreateNetworkNamespace,
    RegisterIds,
    RemoveContainer,
    StartProcess,
    StartSupervisor,
    StopProcesses,
)
from ..._engine.action import Action, Plan
from ..._engine.id_range import IdRange
from ..._engine.names import STACK_LABEL
from ..._errors import Conflict
from ..._network.plan.change_spec import RemoveNetworkSpec, WriteNetworkSpec
from ..._network.plan.stages import AttachNetwork, DetachNetwork, NetworkStage
from ..._network.plan.view import NetworkView
from ..._network.spec.network import NetworkSpec
from ..spec.stack import Stack
from .network import NetworkWish, Policy, plan_attach, plan_detach, with_members
from .update import RemoveStandIn, ServiceUpdate


@dataclass(frozen=True)
class Others:
    """Containers of the stack that are not listed.

    `stand_ins`: those that stand in for others since an update that did not end. `damaged`: reasons why it is not known
    whether a container belongs to the stack.
    """

    unlisted: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class StackView:
    """The present state: a view of each container that the request concerns, and of all networks of the host."""

    containers: Mapping[str, ContainerView]
    network: NetworkView
    others: Others = field(default_factory=Others)
    # Actions on images that are still to be built.
    images: tuple[ChangeImage, ...] = ()
    # Containers whose command has exited with 0.
    completed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ChangeImage(Action):
    """An action on an image of the stack."""

    image: str
    text: str

    def describe(self) -> str:
        return self.text


@dataclass(frozen=True)
class MemberAction(Action):
    """An action of one container."""

    container: str
    action: Action

    def describe(self) -> str:
        return self.action.describe()


@dataclass(frozen=True)
class ChangeNetworks(Action):
    """A change of networks, planned when it is due, under the lock of all networks.

    `detached`: containers that have been stopped. `attached`: whether the members get their networks now.
    """

    detached: tuple[str, ...] = ()
    attached: bool = False

    def describe(self) -> str:
        return "connect the containers" if self.attached else f"disconnect {', '.join(self.detached)}"


@dataclass(frozen=True)
class StackPlan:
    """The actions of each phase, in order.

    `down`: stops; `local`: changes of single containers that are down, and their creation and removal; `up`: starts.
    After that: `stand_ins` of an earlier update to remove, and `updates` of entries.
    """

    register: tuple[IdRange, ...] = ()
    down: tuple[MemberAction, ...] = ()
    detach: tuple[str, ...] = ()
    local: tuple[MemberAction, ...] = ()
    attach: bool = False
    up: tuple[MemberAction, ...] = ()
    stand_ins: tuple[str, ...] = ()
    updates: tuple[ServiceUpdate, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def plan(self) -> Plan:
        """Return the plan in the form of the engine."""
        actions: list[Action] = [RegisterIds(self.register)] if self.register else []
        actions += self.down
        actions += [ChangeNetworks(detached=self.detach)] if self.detach else []
        actions += self.local
        actions += [ChangeNetworks(attached=True)] if self.attach else []
        actions += [*self.up, *map(RemoveStandIn, self.stand_ins)]
        actions += (action for update in self.updates for action in update.actions())
        return Plan(tuple(actions), dict(self.before), dict(self.after))


def require_own(stack: Stack, view: StackView) -> None:
    """Raise Conflict if a container of the stack exists and belongs to somebody else."""
    for name in stack.members:
        spec = view.containers[name].spec
        owner = dict(spec.labels).get(STACK_LABEL) if spec is not None else stack.name
        if owner != stack.name:
            of = f"stack {owner}" if owner else "no stack"
            raise Conflict(
                f"container {name} exists and belongs to {of}, not to stack {stack.name}",
                f"choose another name, or remove it; a label {STACK_LABEL}={stack.name} makes it a part of the stack",
            )


def plan_stack(
    plans: Mapping[str, Plan],
    view: StackView,
    wishes: Mapping[str, NetworkWish],
    policy: Policy,
    hostnames: Mapping[str, str],
) -> StackPlan:
    """Return the plan from the `plans` of single containers.

    Raises the errors of `plan_attach`.
    """
    ranges: dict[IdRange, None] = {}
    down, local, up, detach = [], [], [], []
    for name, plan in plans.items():
        for action in plan.actions:
            one = MemberAction(name, action)
            if isinstance(action, RegisterIds):
                ranges.update(dict.fromkeys(action.ranges))
            elif isinstance(action, StopProcesses):
                down.append(one)
            elif isinstance(action, DetachNetwork):
                detach.append(name)
            elif isinstance(action, (StartProcess, CancelStop, StartSupervisor)):
                up.append(one)
            elif not isinstance(action, NetworkStage):
                local.append(one)
    found = StackPlan(tuple(ranges), tuple(down), tuple(detach), tuple(local), False, tuple(up))
    starting = any(isinstance(action, AttachNetwork) for plan in plans.values() for action in plan.actions)
    # Always, so that its errors come before anything is changed.
    foreseen = predict_networks(found, view, wishes, policy, hostnames)[1]
    attach = bool(foreseen or starting or detach)
    changed = {name for name, plan in plans.items() if plan.before != plan.after}
    planned = replace(
        found,
        attach=attach,
        before={name: plans[name].before for name in sorted(changed)},
        after={name: plans[name].after for name in sorted(changed)},
    )
    return with_networks(planned, foreseen, view.network)


def with_networks(plan: StackPlan, foreseen: Iterable[Action], network: NetworkView) -> StackPlan:
    """Return `plan` whose diff has the networks, too, that the actions `foreseen` write and remove."""
    before, after = dict(plan.before), dict(plan.after)
    for action in foreseen:
        if isinstance(action, (WriteNetworkSpec, RemoveNetworkSpec)):
            name = action.container
            own = network.containers.get(name)
            new = action.spec if isinstance(action, WriteNetworkSpec) else None
            before[name] = {**before.get(name, {}), "network": _shown(own.spec if own else None)}
            after[name] = {**after.get(name, {}), "network": _shown(new)}
    return replace(plan, before=before, after=after)


def _shown(spec: NetworkSpec | None) -> dict[str, Any] | None:
    """Return a network without the id of its container, which is not known in check mode."""
    if spec is None:
        return None
    return {key: value for key, value in spec.to_dict().items() if key != "container_id"}


def predict_networks(
    plan: StackPlan, view: StackView, wishes: Mapping[str, NetworkWish], policy: Policy, hostnames: Mapping[str, str]
) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """Return the actions that detach, and those that attach, as a run of `plan` would plan them when they are due."""
    network = view.network
    detaching: tuple[Action, ...] = ()
    if plan.detach:
        detaching, network = plan_detach(network, plan.detach, policy)
    renewed = {one.container for one in plan.local if isinstance(one.action, CreateNetworkNamespace)}
    removed = {one.container for one in plan.local if isinstance(one.action, RemoveContainer)}
    network = with_members(network, hostnames, renewed, removed)
    return detaching, plan_attach(network, wishes, policy)


def predict(
    plan: StackPlan, view: StackView, wishes: Mapping[str, NetworkWish], policy: Policy, hostnames: Mapping[str, str]
) -> Iterable[Action]:
    """Return all actions of a run, for check mode."""
    yield from view.images
    detaching, attaching = predict_networks(plan, view, wishes, policy, hostnames)
    for action in plan.plan().actions:
        if isinstance(action, ChangeNetworks):
            yield from attaching if action.attached else detaching
        else:
            yield action
