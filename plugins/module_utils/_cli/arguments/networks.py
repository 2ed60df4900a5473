# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments and help texts of the verbs for networks."""

from __future__ import annotations

import argparse

from .common import Verb, add_changes, add_container, add_containers
from .values import expose_value


def _addnetwork(verb: argparse.ArgumentParser) -> None:
    add_container(verb)
    verb.add_argument(
        "-i", "--internet", action="store_true", help="allow Internet access with the host's address (NAT)"
    )
    verb.add_argument(
        "-e", "--expose", metavar="CONTAINER_PORT-HOST_PORT", action="append", default=[], type=expose_value,
        help="expose a container port on a host port, TCP unless /udp is appended; or "
        "container_port=PORT[,host_port=PORT][,protocol=udp][,host_ip=ADDRESS]; repeatable",
    )  # fmt: skip
    add_changes(verb)


def _removed(verb: argparse.ArgumentParser) -> None:
    add_containers(verb)
    add_changes(verb)


def _peer(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="A", help="name of a container")
    verb.add_argument("peer", metavar="B", help="name of the other container")
    add_changes(verb)


def _graph(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--format",
        choices=("mermaid", "dot", "svg"),
        default="mermaid",
        help="language of the graph, or svg: an image; default: mermaid",
    )


VERBS: dict[str, Verb] = {
    "addnetwork": (
        "give a container a network",
        """\
The container and its host reach each other, and nothing else. The options describe the whole network: an option that
is not set is off afterwards, even if it was on before.

examples:
  conductor addnetwork box
  conductor addnetwork box --internet --expose 8080-80    container port 8080 on host port 80
  conductor addnetwork box --expose container_port=8080,host_port=80,host_ip=127.0.0.1
""",
        _addnetwork,
    ),
    "network add": (
        "give a container a network: another name of addnetwork",
        "example:\n  conductor network add box --internet\n",
        _addnetwork,
    ),
    "peer add": (
        "allow two containers to reach each other: another name of peer",
        "example:\n  conductor peer add web db\n",
        _peer,
    ),
    "peer": (
        "allow two containers to reach each other",
        "Both need a network. Containers that are not peers do not reach each other.\n\n"
        "example:\n  conductor peer web db\n",
        _peer,
    ),
    "network rm": (
        "remove the networks of containers",
        "Removes their permissions, too.\n\nexamples:\n  conductor network rm box\n  conductor network rm web db\n",
        _removed,
    ),
    "peer rm": (
        "forbid two containers to reach each other",
        "example:\n  conductor peer rm web db\n",
        _peer,
    ),
    "graph": (
        "draw which containers may call each other",
        """\
Prints the containers with a network, their exposed ports, peers and Internet access as a graph, for Mermaid or for the
program dot of the package graphviz, or as an SVG image that this program draws.

examples:
  conductor graph
  conductor graph --format dot
  conductor graph --format svg > graph.svg
""",
        _graph,
    ),
    "reconcile": (
        "repair the networks of all containers",
        "Use it after the firewall was flushed or an interface was deleted.\n\nexample:\n  conductor reconcile\n",
        add_changes,
    ),
}
