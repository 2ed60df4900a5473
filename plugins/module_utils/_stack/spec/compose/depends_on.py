# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of services, from `depends_on` in the short and the long syntax.

https://github.com/compose-spec/compose-spec/blob/main/05-services.md#depends_on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .node import Node

_CONDITIONS = {
    "service_started": "started",
    "service_healthy": "ready",
    "service_completed_successfully": "completed",
}


def parse_depends_on(node: Node, services: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the condition of each dependency. `services`: options of all services by name. Raises Refused."""
    if isinstance(node.value, list):
        listed = {one.text(): one for one in node.entries()}
        conditions = dict.fromkeys(listed, "started")
    else:
        listed = node.members()
        conditions = {name: _condition(one) for name, one in listed.items()}
    for name, one in listed.items():
        if name not in services:
            raise one.refused(f"{name} is no service", "correct it, or add the service")
        if conditions[name] == "ready" and "wait" not in services[name]:
            raise one.refused(
                f"{name} has no healthcheck, so it is never healthy", "add one, or use the condition service_started"
            )
    return conditions


def _condition(node: Node) -> str:
    fields = node.fields(("condition", "restart", "required"))
    if "restart" in fields and fields["restart"].boolean():
        raise fields["restart"].refused("not supported", "omit it, and set state: restarted if a restart is necessary")
    if "required" in fields and not fields["required"].boolean():
        raise fields["required"].refused("a service is not started if a dependency fails", "omit it, or the dependency")
    condition = fields["condition"].text() if "condition" in fields else "service_started"
    if condition not in _CONDITIONS:
        raise fields["condition"].refused(f"{condition!r} is not a condition", f"use {', '.join(_CONDITIONS)}")
    return _CONDITIONS[condition]
