# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_peer: allow or forbid traffic between two containers."""

from __future__ import annotations

from collections.abc import Iterable

from .._engine.action import Action, Plan
from .._engine.engine import Run, UseCase
from .._engine.locks import container_lock, network_lock
from .._engine.settings import Settings
from .._kernel.flock import Lock
from .actions import apply, remaining_actions
from .observe import observe
from .plan.change_spec import WriteNetworkSpec
from .plan.drift import unwritable_file_warnings
from .plan.peers import PeerOptions, peer_result, plan_peer
from .plan.projection import plan_projection
from .plan.view import NetworkView
from .store import write_network


class PeerCase(UseCase[NetworkView]):
    """The peer entries of two containers."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.options = PeerOptions.parse(params)
        self._focus = {self.options.container, self.options.peer}

    def locks(self) -> Iterable[Lock]:
        return [*(container_lock(name) for name in sorted(self._focus)), network_lock()]

    def observe(self) -> NetworkView:
        return observe(self.settings, lambda _view: self._focus)

    def plan(self, observed: NetworkView) -> Plan:
        writes, after = plan_peer(observed, self.options)
        projected = plan_projection(after, self._focus, self.settings.forwarding, self.settings.firewall)
        return Plan(
            (*writes, *projected),
            {"peers": peer_result(observed, self.options)},
            {"peers": peer_result(after, self.options)},
        )

    def apply(self, action: Action, run: Run[NetworkView]) -> None:
        if isinstance(action, WriteNetworkSpec):
            write_network(self.settings.container_dir, action.container, action.spec)
        else:
            apply(self.settings, action, self._focus)

    def observe_again(self, run: Run[NetworkView]) -> tuple[NetworkView, Iterable[Action]]:
        observed = self.observe().fenced_as(run.observed, self._focus)
        return observed, remaining_actions(self.plan(observed).actions, run.done, run.skipped, self._focus)

    def predicted_result(self) -> dict:
        """Return the result in check mode if an earlier task of the play would create the containers or networks."""
        action = f"allow {self.options.container} to call {self.options.peer}"
        return {"actions": [action], "peers": peer_result(self.observe(), self.options)}

    def result(self, observed: NetworkView, run: Run[NetworkView]) -> dict:
        warnings = [*run.all_warnings(), *unwritable_file_warnings(observed, self._focus)]
        return {"peers": peer_result(observed, self.options), **({"warnings": warnings} if warnings else {})}
