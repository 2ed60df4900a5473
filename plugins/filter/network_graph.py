# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of allowed connections for Mermaid."""

from __future__ import annotations

from ansible_collections.conductor.containers.plugins.module_utils._cli.graph import draw

DOCUMENTATION = r"""
name: network_graph
short_description: Graph of allowed connections for Mermaid
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Draws which containers may call each other, with exposed ports and Internet access, as a flowchart for Mermaid. The
    host command C(conductor graph) prints the same.
options:
  _input:
    description: RV(conductor.containers.conductor_network_info#module:networks).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Get all networks
  conductor.containers.conductor_network_info:
  register: connected

- name: Show which containers may call each other
  ansible.builtin.debug:
    msg: "{{ connected.networks | conductor.containers.network_graph }}"
"""

RETURN = r"""
_value:
  description: Lines of the flowchart.
  type: list
  elements: str
"""


def network_graph(networks: list[dict]) -> list[str]:
    """Return the lines of the flowchart of `networks`."""
    return draw(networks, "mermaid").split("\n")


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict:
        return {"network_graph": network_graph}
