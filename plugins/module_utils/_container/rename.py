# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a stopped container another name: its directory, its spec, and its peers' entries for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .._engine.action import Action, Plan
from .._engine.engine import Run, UseCase
from .._engine.locks import container_lock, network_lock
from .._engine.names import STACK_LABEL, parse_name
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import Conflict, InvalidInput, container_not_found
from .._kernel.flock import Lock
from .._network.plan.change_spec import WriteNetworkSpec
from .._network.plan.view import ContainerView as NetworkOfContainer
from .._network.plan.view import NetworkView
from .._network.store import StoredNetwork, read_networks, write_network
from . import stop, store
from .spec.container import ContainerSpec
from .spec.values import default_hostname


@dataclass(frozen=True)
class RenameContainer(Action):
    name: str
    spec: ContainerSpec

    def describe(self) -> str:
        return f"rename container {self.name} to {self.spec.name}"


@dataclass(frozen=True)
class FinishRename(Action):
    spec: ContainerSpec

    def describe(self) -> str:
        return f"store the new name of container {self.spec.name}"


@dataclass(frozen=True)
class View:
    """`spec`: of the container under its present name; `unfinished`: a killed run has renamed it already."""

    spec: ContainerSpec | None = None
    unfinished: bool = False
    has_stopped: bool = True
    is_taken: bool = False
    network: NetworkView | None = None


class RenameCase(UseCase[View]):
    """The container `old`, which gets the name `new`. A run that was killed is finished by the same request."""

    def __init__(self, old: str, new: str, settings: Settings) -> None:
        self.settings = settings
        self.old, self.new = parse_name(old, "OLD"), parse_name(new, "NEW")
        if self.old == self.new:
            raise InvalidInput(f"container {old} has this name", "give another one")
        self._old = ContainerPaths.of(settings.container_dir, self.old)
        self._new = ContainerPaths.of(settings.container_dir, self.new)

    def locks(self) -> Iterable[Lock]:
        return [*map(container_lock, sorted((self.old, self.new))), network_lock()]

    def observe(self) -> View:
        unfinished = store.former_name(self._new) == self.old
        paths = self._new if unfinished else self._old
        return View(
            spec=store.read_spec(paths),
            unfinished=unfinished,
            has_stopped=not (store.observe_process(self._old)[1] or stop.find_leftovers(self._old)),
            is_taken=os.path.lexists(self._new.directory) and not unfinished,
            network=self._observe_network(),
        )

    def _observe_network(self) -> NetworkView | None:
        """Return the network of the callers, None without any: then the host needs neither pyroute2 nor nft."""
        if not self._callers(read_networks(self.settings.container_dir)):
            return None
        from .._network.observe import observe

        return observe(self.settings, lambda view: self._callers(view.containers))

    def _callers(self, containers: Mapping[str, StoredNetwork] | Mapping[str, NetworkOfContainer]) -> list[str]:
        """Return the containers with an entry for this one. An entry for an earlier one of its name has another id."""
        own = containers.get(self.old) or containers.get(self.new)
        return [
            name
            for name, other in containers.items()
            if own and other.spec and any(entry.peer_id == own.container_id for entry in other.spec.peers)
        ]

    def plan(self, observed: View) -> Plan:
        spec = observed.spec
        if spec is None:
            raise container_not_found(self.old, "list them with: conductor ps")
        if observed.is_taken:
            raise Conflict(f"container {self.new} exists", "choose another name")
        stack = dict(spec.labels).get(STACK_LABEL)
        if stack:
            raise Conflict(
                f"container {self.old} is of the stack {stack}, which names its containers", "rename it in the stack"
            )
        if not observed.has_stopped:
            raise Conflict(
                f"container {self.old} has not been stopped, and what the host has for it bears its name",
                f"run conductor stop --keep {self.old} first",
            )
        is_default = spec.hostname in (default_hostname(self.old), default_hostname(self.new))
        wanted = replace(spec, name=self.new, hostname=default_hostname(self.new) if is_default else spec.hostname)
        renamed = () if observed.unfinished else (RenameContainer(self.old, wanted),)
        return Plan(
            (*renamed, *self._network_actions(observed.network, wanted), FinishRename(wanted)),
            {"name": self.old},
            {"name": self.new},
        )

    def _network_actions(self, view: NetworkView | None, wanted: ContainerSpec) -> list[Action]:
        """Return the actions for the callers: their entries, and the names that they know."""
        if view is None:
            return []
        from .._network.plan.projection import plan_projection

        callers = self._callers(view.containers)
        containers = dict(view.containers)
        own = containers.pop(self.old, None) or containers[self.new]
        after = replace(
            view, containers={**containers, self.new: replace(own, name=self.new, hostname=wanted.hostname)}
        )
        writes: list[Action] = []
        for caller in callers:
            spec = after.containers[caller].spec
            if spec is None:
                continue
            entries = [
                replace(entry, peer=self.new) if entry.peer_id == own.container_id else entry for entry in spec.peers
            ]
            changed = replace(spec, peers=tuple(sorted(entries)))
            if changed != spec:
                writes.append(WriteNetworkSpec(caller, changed))
                after = after.with_spec(caller, changed)
        return [*writes, *plan_projection(after, set(callers), self.settings.forwarding, self.settings.firewall)]

    def apply(self, action: Action, run: Run[View]) -> None:
        if isinstance(action, RenameContainer):
            store.rename_directory(self._old, self._new, action.spec)
        elif isinstance(action, FinishRename):
            store.write_spec(self._new, action.spec)
        elif isinstance(action, WriteNetworkSpec):
            write_network(self.settings.container_dir, action.container, action.spec)
        elif run.observed.network is not None:
            from .._network.actions import apply as apply_to_network

            apply_to_network(self.settings, action, set(self._callers(run.observed.network.containers)))

    def observe_again(self, run: Run[View]) -> tuple[View, Iterable[Action]]:
        spec = store.read_spec(self._new)
        observed = replace(run.observed, spec=spec)
        return observed, () if spec and not store.former_name(self._new) else run.done

    def result(self, observed: View, run: Run[View]) -> dict:
        warnings = run.all_warnings()
        return {"warnings": warnings} if warnings else {}
