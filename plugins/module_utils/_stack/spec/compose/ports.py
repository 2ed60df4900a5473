# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports of a service in the short and the long syntax.

https://github.com/compose-spec/compose-spec/blob/main/05-services.md#ports.
"""

from __future__ import annotations

import re
from typing import Any

from ...._network.spec.ports import Expose, parse_exposes, split_published
from .node import Node, Refused, each

_FIELDS = ("target", "published", "host_ip", "protocol", "app_protocol", "mode", "name")


def parse_ports(node: Node, problems: list[Refused]) -> list[dict[str, Any]]:
    """Return `ports`, which have the host port first, as dictionaries of the option expose."""
    found = each(
        node.entries(), lambda one: (_long_port if isinstance(one.value, dict) else _short_port)(one), problems
    )
    node.checked(lambda: parse_exposes(found), "expose")
    return found


def _short_port(node: Node) -> dict[str, Any]:
    """Return the port of `[[IP:]HOST:]CONTAINER[/PROTOCOL]`."""
    found = split_published(node.text())
    return _port(node, found["container_port"], found["host_port"], found["protocol"] or "tcp", found["host_ip"])


def _long_port(node: Node) -> dict[str, Any]:
    fields = {key: one.text() for key, one in node.fields(_FIELDS).items()}
    if "target" not in fields:
        raise node.refused("target is missing", "set it to the port in the container")
    return _port(
        node,
        fields["target"],
        fields.get("published", ""),
        fields.get("protocol", "tcp"),
        fields.get("host_ip", ""),
    )


def _port(node: Node, container: str, host: str, protocol: str, host_ip: str) -> dict[str, Any]:
    if not host or host == "0":
        raise node.refused(
            f"{container} has no host port, and no free one is chosen here",
            "write HOST:CONTAINER in quotes, such as '8080:80'",
        )
    ranges = [re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", ports) for ports in (host, container)]
    lengths = [int(found[2] or found[1]) - int(found[1]) for found in ranges if found]
    if len(lengths) == 2 and lengths[0] != lengths[1]:
        raise node.refused(
            f"{host} has not as many ports as {container}, and no free ones are chosen here",
            "give one host port for each port of the container",
        )
    found = {
        "container_port": container,
        "host_port": host,
        "protocol": protocol.lower(),
        "host_ip": re.sub(r"^\[(.*)\]$", r"\1", host_ip) or None,
    }
    node.checked(lambda: Expose.parse(found), "expose")
    return found
