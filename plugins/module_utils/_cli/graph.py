# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of allowed connections as text for Mermaid or Graphviz, from the result of conductor_network_info. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

CLIENTS, INTERNET = "clients of the host", "Internet"


class Edge(NamedTuple):
    """Node `source` may call node `target`; `label` has the ports, "" for every port."""

    source: str
    target: str
    label: str = ""


def draw(networks: Iterable[Mapping[str, Any]], style: str) -> str:
    """Return the graph of `networks` in the language `style`, mermaid or dot."""
    names, edges = _nodes_and_edges(networks)
    # Identifiers of our own, since the name of a container may be a keyword of the language.
    ids = {name: f"n{index}" for index, name in enumerate(names)}
    return "\n".join((_mermaid if style == "mermaid" else _dot)(ids, edges))


def _nodes_and_edges(networks: Iterable[Mapping[str, Any]]) -> tuple[list[str], list[Edge]]:
    containers: set[str] = set()
    edges = []
    for network in networks:
        name = network["container"]
        containers.add(name)
        # A container whose network has only drift has no other keys.
        for one in network.get("expose") or ():
            where = f"{one['host_ip']} " if one["host_ip"] else ""
            label = f"{where}{one['host_port']}/{one['protocol']} to {one['container_port']}"
            edges.append(Edge(CLIENTS, name, label))
        for peer in network.get("peers") or ():
            containers.add(peer["peer"])
            edges.append(Edge(name, peer["peer"], ", ".join(peer["ports"])))
        if network.get("internet"):
            edges.append(Edge(name, INTERNET))
    ends = {end for edge in edges for end in edge[:2]}
    return [*sorted(containers), *(name for name in (CLIENTS, INTERNET) if name in ends)], edges


def _mermaid(ids: Mapping[str, str], edges: Iterable[Edge]) -> Iterable[str]:
    """https://mermaid.js.org/syntax/flowchart.html, with its entity codes for special characters."""
    yield "flowchart LR"
    for name, own in ids.items():
        left, right = ("([", "])") if " " in name or name == INTERNET else ("[", "]")
        yield f'  {own}{left}"{_entities(name)}"{right}'
    for source, target, label in edges:
        text = f'|"{_entities(label)}"|' if label else ""
        yield f"  {ids[source]} -->{text} {ids[target]}"


def _entities(text: str) -> str:
    return "".join(char if char.isalnum() or char in " .,:/_-" else f"#{ord(char)};" for char in text)


def _dot(ids: Mapping[str, str], edges: Iterable[Edge]) -> Iterable[str]:
    """https://graphviz.org/doc/info/lang.html"""
    yield "digraph conductor {"
    yield "  rankdir=LR"
    for name, own in ids.items():
        shape = "ellipse" if " " in name or name == INTERNET else "box"
        yield f"  {own} [label={_quoted(name)}, shape={shape}]"
    for source, target, label in edges:
        text = f" [label={_quoted(label)}]" if label else ""
        yield f"  {ids[source]} -> {ids[target]}{text}"
    yield "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
