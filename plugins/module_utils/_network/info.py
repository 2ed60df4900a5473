# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_network_info: the networks of containers, and the drift between specs and kernel."""

from __future__ import annotations

from .._engine.engine import Run
from .._engine.info_use_case import InfoCase, parse_names
from .._engine.paths import BUILD_PREFIX
from .._engine.settings import Settings
from .foreign_firewalls import blocked_by
from .observe import observe
from .plan.drift import container_drift, host_drift
from .plan.result import network_result
from .plan.view import NetworkView


class NetworkInfoCase(InfoCase[NetworkView]):
    """The network of one container, or of all containers."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.names = parse_names(params)

    def observe(self) -> NetworkView:
        names = set(self.names)
        focus = (lambda _view: names) if names else None
        return observe(self.settings, focus, others=("forward", "input"))

    def result(self, observed: NetworkView, run: Run[NetworkView]) -> dict:
        networks = []
        for name in self.names or _users_containers(observed):
            found = network_result(observed, name)
            drift = container_drift(observed, name)
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
