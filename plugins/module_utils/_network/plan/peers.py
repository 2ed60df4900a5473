# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers: entries in the specs of two containers that permit calls between them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..._engine.names import parse_name
from ..._errors import Conflict, InvalidInput, mark_pending
from ..spec.network import NetworkSpec, PeerEntry
from ..spec.ports import PortRange, parse_port_ranges
from .change_spec import WriteNetworkSpec, require_container, without_dangling_peers
from .view import NetworkView


@dataclass(frozen=True)
class PeerOptions:
    """Whether `container` may call `peer` on `ports`, () for every port. With `both`, the reverse direction too."""

    container: str
    peer: str
    ports: tuple[PortRange, ...] = ()
    both: bool = True
    present: bool = True

    @classmethod
    def parse(cls, params: dict[str, Any]) -> PeerOptions:
        """Return the options from the module's `params`. Raises InvalidInput."""
        container, peer = parse_name(params["container"], "container"), parse_name(params["peer"], "peer")
        if container == peer:
            raise InvalidInput(f"container and peer are both {peer!r}", "name two different containers")
        ports = parse_port_ranges(params["ports"] or ())
        if params["ports"] is not None and not ports:
            raise InvalidInput(
                "ports is an empty list", "omit it to allow every port, or use state: absent to allow none"
            )
        return cls(container, peer, ports, params["direction"] == "both", params["state"] == "present")

    def calls(self) -> list[tuple[str, str]]:
        """Return the directions as (caller, called)."""
        return [(self.container, self.peer)] + ([(self.peer, self.container)] if self.both else [])


def plan_peer(view: NetworkView, options: PeerOptions) -> tuple[list[WriteNetworkSpec], NetworkView]:
    """Return the specs to write, and the view with them.

    Raises NotFound, Damaged, and Conflict if one of the containers has no network. State absent changes nothing if a
    container does not exist.
    """
    writes, after = [], view
    for caller, called in options.calls():
        if not options.present and caller not in view.containers:
            continue
        spec = _require_spec(view, caller, options.present)
        if spec is None:
            continue
        entries = [entry for entry in spec.peers if entry.peer != called]
        if options.present:
            _require_spec(view, called, True)
            entries.append(PeerEntry(called, view.containers[called].container_id, options.ports))
        wanted = replace(spec, peers=tuple(sorted(entries)))
        if wanted.peers != spec.peers:
            wanted = without_dangling_peers(view, wanted)
            writes.append(WriteNetworkSpec(caller, wanted))
            after = after.with_spec(caller, wanted)
    return writes, after


def _require_spec(view: NetworkView, name: str, needed: bool) -> NetworkSpec | None:
    container = require_container(view, name)
    if container.spec is None and needed:
        raise mark_pending(
            Conflict(f"container {name} has no network", f"create a network for {name} with conductor_network first")
        )
    return container.spec


def peer_result(view: NetworkView, options: PeerOptions) -> list[dict[str, Any]]:
    """Return the permitted calls between the two containers."""
    found = []
    for caller, called in ((options.container, options.peer), (options.peer, options.container)):
        container = view.containers.get(caller)
        for entry in container.spec.peers if container and container.spec else ():
            if entry.peer == called and view.peer_of(entry) is not None:
                found.append({"container": caller, "peer": called, "ports": [str(ports) for ports in entry.ports]})
    return found
