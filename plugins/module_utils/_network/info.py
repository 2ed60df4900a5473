# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_network_info: the networks of containers, and the drift between specs and kernel."""

from __future__ import annotations

from .._engine.engine import Run
from .._engine.info_use_case import InfoCase
from .._engine.names import parse_name
from .._engine.paths import BUILD_PREFIX
from .._engine.settings import Settings
from .foreign_firewalls import blocked_by
from .observe import observe
from .plan.drift import drift_of, host_drift
from .plan.result import network_result
from .plan.view import NetworkView


class NetworkInfoCase(InfoCase[NetworkView]):
    """The network of one container, or of all containers."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.name = None if params["container"] is None else parse_name(params["container"], "container")

    def observe(self) -> NetworkView:
        name = self.name
        focus = None if name is None else lambda _view: {name}
        return observe(self.settings, focus, others=("forward", "input"))

    def result(self, observed: NetworkView, run: Run[NetworkView]) -> dict:
        networks = []
        for name in _users_containers(observed) if self.name is None else [self.name]:
            found = network_result(observed, name)
            drift = drift_of(observed, name)
            if found is not None or drift:
                networks.append({"container": name, **(found or {}), "drift": drift})
        return {
            "networks": networks,
            "pools": {"pool4": self.settings.pool4, "pool6": self.settings.pool6},
            "table_present": observed.firewall.whole,
            "drift": host_drift(observed),
            "blocked_by": blocked_by(observed.other_chains, "forward"),
            "input_blocked_by": blocked_by(observed.other_chains, "input"),
        }


def _users_containers(view: NetworkView) -> list[str]:
    return sorted(name for name in view.containers if not name.startswith(BUILD_PREFIX))
