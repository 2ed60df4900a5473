# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flows that the kernel still leads by the former rules after a change of the firewall."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from socket import IPPROTO_UDP
from typing import Any


@dataclass(frozen=True)
class Flows:
    """UDP flows to host ports (first, last) and to addresses, and calls that lead to addresses that do not answer."""

    udp_ports: Sequence[tuple[int, int]]
    udp_addresses: frozenset[str]
    unanswered: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.udp_ports or self.udp_addresses or self.unanswered)


def changed_flows(commands: Iterable[Mapping[str, Any]]) -> Flows:
    """Return the flows whose way may be another one by `commands`, which change the elements of sets.

    Unanswered are those to a container that its callers may be led away from, to another one. If no port is added,
    no call is meant, since listing the connections of a busy host takes a second.
    """
    udp_ports, udp_addresses, unanswered = set(), set(), set()
    # Addresses by IP version and protocol: the port may have become part of another range, or that of one address.
    exposed: dict[str, dict[tuple[str, int], set[str]]] = {"add": {}, "delete": {}}
    for verb, name, key, value in _elements(commands):
        if name.startswith("stand_in"):
            called = key["concat"][1]
            udp_addresses.add(called)
            unanswered.add(called if verb == "add" else value)
        else:
            *_address, protocol, port = key["concat"]
            if protocol == IPPROTO_UDP:
                udp_ports.add(tuple(port["range"]) if isinstance(port, dict) else (port, port))
            if not name.endswith("port"):
                exposed[verb].setdefault((name.removesuffix("_on"), protocol), set()).add(value)
    unanswered.update(*(addresses for key, addresses in exposed["delete"].items() if key in exposed["add"]))
    return Flows(sorted(udp_ports), frozenset(udp_addresses), frozenset(unanswered))


def _elements(commands: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, Any, Any]]:
    """Yield verb, name of the map, key and value of each element of a map that is added or deleted."""
    for command in commands:
        for verb in ("add", "delete"):
            element = command.get(verb, {}).get("element", {})
            name = element.get("name", "")
            if name.startswith(("stand_in", "expose")) and not name.startswith("exposed"):
                yield from ((verb, name, key, value) for key, value in element["elem"])
