# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings about networks that are as requested, and do not work as their users expect."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .foreign_firewalls import blocked_by
from .plan.port_conflicts import port_conflicts
from .plan.resolv_conf import name_server_warnings
from .plan.view import NetworkView


def network_warnings(view: NetworkView, names: Iterable[str]) -> list[str]:
    """Return the warnings about the networks of the containers `names`, as far as they have one."""
    specs = {name: view.containers[name].spec for name in sorted(names) if name in view.containers}
    connected = {name: spec for name, spec in specs.items() if spec is not None}
    warnings = [text for name in connected for text in (*name_server_warnings(view, name), *port_conflicts(view, name))]
    blocked = blocked_by(view.other_chains, "forward") if connected else []
    if blocked:
        warnings.append(
            f"{_named(connected)}: another firewall may drop packets regardless of the options of the network: "
            f"{', '.join(blocked)}"
        )
    without_uplink = [name for name, spec in connected.items() if spec.internet and not spec.uplink]
    if without_uplink and not view.uplinks:
        warnings.append(
            f"{_named(without_uplink)}: no interface of this host has a default route, so internet has no effect. "
            "Set uplink, or add a default route and use state: reconciled of conductor_network"
        )
    return warnings


def _named(names: Collection[str]) -> str:
    return f"container{'s' * (len(names) > 1)} {', '.join(names)}"
