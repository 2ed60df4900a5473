# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan of updates: which running containers are replaced a few at a time, in the order of their entries. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..._container.plan.container import ContainerView, RegisterIds, StopProcesses, UpdateSpec
from ..._engine.action import Action, Plan
from ..spec.stack import Stack
from ..spec.update import Update


@dataclass(frozen=True)
class StartStandIn(Action):
    """Start a container with the new options, which answers in place of those of the entry `service`."""

    name: str
    service: str

    def describe(self) -> str:
        return f"start container {self.name} to stand in for {self.service}"


@dataclass(frozen=True)
class RemoveStandIn(Action):
    name: str

    def describe(self) -> str:
        return f"remove container {self.name}, which stood in for others"


@dataclass(frozen=True)
class UpdateMember(Action):
    """Replace a running container, and wait until the new one is ready."""

    container: str
    order: str
    options: tuple[str, ...]

    def describe(self) -> str:
        changes = f": change {', '.join(self.options)}" if self.options else ""
        return f"update container {self.container} ({self.order}){changes}"


@dataclass(frozen=True)
class RollBack(Action):
    """Give a container its former options again."""

    container: str

    def describe(self) -> str:
        return f"roll back container {self.container}"


@dataclass(frozen=True)
class ServiceUpdate:
    """The containers of the entry `service` to replace, in order."""

    service: str
    update: Update
    members: tuple[UpdateMember, ...]

    def actions(self) -> Iterator[Action]:
        """Yield the actions of an update without failures."""
        if self.update.stand_in:
            yield StartStandIn(self.update.stand_in, self.service)
        yield from self.members
        if self.update.stand_in:
            yield RemoveStandIn(self.update.stand_in)

    def batches(self) -> Iterator[tuple[UpdateMember, ...]]:
        """Yield the containers that are replaced at the same time."""
        for first in range(0, len(self.members), self.update.parallel):
            yield self.members[first : first + self.update.parallel]


def split_updates(
    plans: Mapping[str, Plan], stack: Stack, views: Mapping[str, ContainerView]
) -> tuple[dict[str, Plan], tuple[ServiceUpdate, ...]]:
    """Return the plans without the actions of updates, and the updates of entries in the order of their dependencies.

    A container is updated if it runs, its entry has the option `update`, and its plan stops it.
    """
    rest, updates = dict(plans), []
    for service in _in_order(stack):
        update = stack.updates[service]
        members = []
        for name in update.members:
            plan = plans[name]
            if not views[name].running or not any(isinstance(one, StopProcesses) for one in plan.actions):
                continue
            options = (option for one in plan.actions if isinstance(one, UpdateSpec) for option in one.options)
            members.append(UpdateMember(name, update.order, tuple(options)))
            registered = tuple(one for one in plan.actions if isinstance(one, RegisterIds))
            rest[name] = replace(plan, actions=registered)
        if members:
            updates.append(ServiceUpdate(service, update, tuple(members)))
    return rest, tuple(updates)


def _in_order(stack: Stack) -> list[str]:
    """Return the entries with the option `update`, each after those that it depends on."""
    needed: dict[str, set[str]] = {}
    for member in stack.members.values():
        others = {stack.members[other].service for other, _ in member.depends_on}
        needed.setdefault(member.service, set()).update(others)
    ordered: list[str] = []
    while len(ordered) < len(needed):
        ordered += [key for key, others in needed.items() if key not in ordered and others <= set(ordered)]
    return [key for key in ordered if key in stack.updates]
