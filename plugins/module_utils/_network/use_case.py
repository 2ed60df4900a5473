# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_network: create, change, remove or reconcile the networks of containers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .._engine.action import Action, Plan
from .._engine.engine import Run, UseCase
from .._engine.locks import container_lock, network_lock
from .._engine.names import parse_name
from .._engine.settings import Settings
from .._errors import InvalidInput
from .._kernel.flock import Lock
from .._kernel.interfaces import open_rtnetlink
from .._kernel.listening_ports import find_listeners
from .actions import apply, remaining_actions
from .foreign_firewalls import blocked_by
from .observe import observe
from .plan.change_spec import (
    RemoveNetworkSpec,
    WriteNetworkSpec,
    require_container,
    wanted_spec,
    without_dangling_peers,
)
from .plan.drift import unwritable_file_warnings
from .plan.foresight import callers_of
from .plan.port_conflicts import port_conflicts
from .plan.projection import plan_projection
from .plan.result import network_result
from .plan.view import Listening, NetworkView
from .spec.network import LINK_PREFIX, NetworkSpec
from .spec.options import NetworkOptions
from .spec.ports import expose_warnings
from .store import remove_network, write_network
from .warnings import network_warnings


class NetworkCase(UseCase[NetworkView]):
    """The network of one container: state present or absent."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.name = self._parse_name(params["container"])
        self.present = params["state"] == "present"
        self.options = NetworkOptions.parse(params, settings.pool4, settings.pool6, settings.uplink)
        self._warned = expose_warnings(params.get("expose") or ())

    @staticmethod
    def _parse_name(value: object) -> str:
        return parse_name(value, "container")

    def locks(self) -> Iterable[Lock]:
        return [container_lock(self.name), network_lock()]

    def observe(self) -> NetworkView:
        view = observe(self.settings, self._focus, others=("forward",))
        if not self.present:
            return view
        asked = {(e.protocol, *e.host_ports) for e in self.options.expose}
        with open_rtnetlink() as host:
            networks = [(net, link) for net, link in host.networks() if not link.startswith(LINK_PREFIX)]
        listening = {*view.listeners, *(Listening(*found) for found in (find_listeners(asked) if asked else ()))}
        return replace(view, networks=tuple(networks), listeners=tuple(sorted(listening)))

    def predicted_result(self) -> dict:
        """Return the result in check mode if an earlier task of the play would create the container."""
        return {"actions": [f"connect {self.name}"], **self._facts(self.observe())}

    def _facts(self, view: NetworkView) -> dict:
        blocked = blocked_by(view.other_chains, "forward")
        return {"network": network_result(view, self.name), "blocked_by": blocked}

    def _focus(self, view: NetworkView) -> set[str]:
        """Return the container and its callers, which have its names in their /etc/hosts."""
        return {self.name} | callers_of(view, self.name)

    def plan(self, observed: NetworkView) -> Plan:
        return self._plan_present(observed) if self.present else self._plan_absent(observed)

    def _plan_present(self, view: NetworkView) -> Plan:
        pruned = self._wanted(view)
        current = view.containers[self.name].spec
        write = current is None or without_dangling_peers(view, current) != pruned
        after = view.with_spec(self.name, pruned)
        actions = (*((WriteNetworkSpec(self.name, pruned),) if write else ()), *self._project(after))
        return _with_diff(actions, view, after, self.name)

    def _wanted(self, view: NetworkView) -> NetworkSpec:
        """Return the spec to store.

        Peer entries for removed containers are ignored; the next change drops them, and dropping them is not a change.
        """
        return without_dangling_peers(view, wanted_spec(view, self.name, self.options))

    def _plan_absent(self, view: NetworkView) -> Plan:
        if self.name not in view.containers:
            return Plan()
        require_container(view, self.name)
        after = view.with_spec(self.name, None)
        # Last: no other container may get the address while the link exists.
        remove = (RemoveNetworkSpec(self.name),) if view.containers[self.name].spec else ()
        return _with_diff((*self._project(after), *remove), view, after, self.name)

    def _project(self, after: NetworkView) -> tuple[Action, ...]:
        return plan_projection(after, self._focus(after), self.settings.forwarding, self.settings.firewall)

    def apply(self, action: Action, run: Run[NetworkView]) -> None:
        if isinstance(action, WriteNetworkSpec):
            write_network(self.settings.container_dir, action.container, action.spec)
        elif isinstance(action, RemoveNetworkSpec):
            remove_network(self.settings.container_dir, action.container)
        else:
            apply(self.settings, action, {self.name})

    def observe_again(self, run: Run[NetworkView]) -> tuple[NetworkView, Iterable[Action]]:
        observed = self.observe().fenced_as(run.observed, {self.name})
        return observed, remaining_actions(self.plan(observed).actions, run.done, run.skipped, {self.name})

    def result(self, observed: NetworkView, run: Run[NetworkView]) -> dict:
        warnings = [
            *self._warned,
            *run.all_warnings(),
            *unwritable_file_warnings(observed, self._focus(observed)),
        ]
        if self.present:
            # In check mode the view has the old spec.
            warnings += network_warnings(observed.with_spec(self.name, self._wanted(observed)), [self.name])
        return {**self._facts(observed), **({"warnings": warnings} if warnings else {})}


class ReconcileCase(UseCase[NetworkView]):
    """State reconciled: repair all networks after a reboot, a firewall flush or a deleted interface."""

    def __init__(self, params: dict, settings: Settings) -> None:
        if params.get("container"):
            raise InvalidInput("state: reconciled is for all containers", "omit container")
        self.settings = settings

    def locks(self) -> Iterable[Lock]:
        return [network_lock()]

    def observe(self) -> NetworkView:
        return observe(self.settings, others=("forward",))

    def plan(self, observed: NetworkView) -> Plan:
        names = set(observed.containers)
        actions = plan_projection(observed, names, self.settings.forwarding, self.settings.firewall)
        return Plan(actions, {"drift": [action.describe() for action in actions]}, {"drift": []})

    def apply(self, action: Action, run: Run[NetworkView]) -> None:
        apply(self.settings, action)

    def observe_again(self, run: Run[NetworkView]) -> tuple[NetworkView, Iterable[Action]]:
        observed = self.observe().fenced_as(run.observed, ())
        return observed, remaining_actions(self.plan(observed).actions, run.done, run.skipped)

    def result(self, observed: NetworkView, run: Run[NetworkView]) -> dict:
        warnings = [*run.all_warnings(), *unwritable_file_warnings(observed, observed.containers)]
        warnings += [problem for name in sorted(observed.containers) for problem in port_conflicts(observed, name)]
        blocked = blocked_by(observed.other_chains, "forward")
        return {"blocked_by": blocked, **({"warnings": warnings} if warnings else {})}


def _with_diff(actions: tuple[Action, ...], before: NetworkView, after: NetworkView, name: str) -> Plan:
    diff = {}
    for key, view in (("before", before), ("after", after)):
        spec = view.containers[name].spec
        diff[key] = {} if spec is None else spec.to_dict()
    return Plan(actions, diff["before"], diff["after"])


def build(params: dict, settings: Settings) -> NetworkCase | ReconcileCase:
    """Return the use case for `state`."""
    return (ReconcileCase if params["state"] == "reconciled" else NetworkCase)(params, settings)
