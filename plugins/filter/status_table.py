# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A human-readable table of containers and their networks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from ansible_collections.conductor.containers.plugins.module_utils._engine.text_table import table

DOCUMENTATION = r"""
name: status_table
short_description: Table of containers for display
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Formats containers as aligned lines of text, one for each container, below a line of headings.
options:
  _input:
    description: RV(conductor.containers.conductor_container_info#module:containers).
    type: list
    elements: dict
    required: true
  networks:
    description: RV(conductor.containers.conductor_network_info#module:networks).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: List all containers
  conductor.containers.conductor_container_info:
  register: found

- name: Get all networks
  conductor.containers.conductor_network_info:
  register: connected

- name: Show containers
  ansible.builtin.debug:
    msg: "{{ found.containers | conductor.containers.status_table(networks=connected.networks) }}"
"""

RETURN = r"""
_value:
  description: Lines of the table.
  type: list
  elements: str
"""

HEADINGS = ("NAME", "STATE", "IMAGE", "UP", "ADDRESSES", "INTERNET", "EXPOSES", "MAY CALL", "DRIFT")
UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def status_table(containers: list[dict], networks: Sequence[dict] = ()) -> list[str]:
    """Return the lines of the table. Unknown and empty values are shown as `-`."""
    if not containers:
        return ["no containers"]
    connected = {network["container"]: network for network in networks}
    return table(HEADINGS, [_row(one, connected.get(one["name"])) for one in containers])


def _row(container: dict, network: dict | None) -> tuple:
    about = network or {}
    state = str(container.get("state"))
    if state == "exited" and container.get("exit_code") is not None:
        state = f"exited ({container['exit_code']})"
    running = container.get("state") == "running"
    return (
        container["name"],
        state,
        container.get("image"),
        _since(container.get("started_at")) if running else "",
        " ".join(container.get("addresses") or []),
        ("yes" if about.get("internet") else "no") if network else "",
        " ".join(_expose(one) for one in about.get("expose") or []),
        " ".join(_peer(one) for one in about.get("peers") or []),
        "; ".join(about.get("drift") or []),
    )


def _expose(one: dict) -> str:
    where = f"{one['host_ip']}:" if one.get("host_ip") else ""
    return f"{where}{one['host_port']}->{one['container_port']}/{one['protocol']}"


def _peer(one: dict) -> str:
    ports = one.get("ports") or []
    return f"{one['peer']}({','.join(ports)})" if ports else one["peer"]


def _since(started_at: str | None) -> str:
    """Return the time since `started_at` in its two largest units, like 3d4h."""
    if not started_at:
        return ""
    left = max(0, int((datetime.now(timezone.utc) - datetime.fromisoformat(started_at)).total_seconds()))
    parts: list[str] = []
    for unit, seconds in UNITS:
        count, left = divmod(left, seconds)
        if count or parts or unit == "s":
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict:
        return {"status_table": status_table}
