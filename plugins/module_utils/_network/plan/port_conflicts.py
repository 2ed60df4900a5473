# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conflicts between the exposed ports of containers, and with services of the host. Pure.

Exposed ports are not reserved by sockets of ours: those would need a permanent process and a socket for each port of a
range, and would accept connections for a stopped container. A service that binds such a port later is reported instead.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from ..._errors import Conflict
from ..spec.ports import Expose, find_overlap
from .view import Listening, NetworkView


def check_host_ports(before: NetworkView, after: NetworkView, names: Sequence[str]) -> None:
    """Check the host ports that containers `names` expose `after` a change of specs.

    Raises Conflict if another container exposes one of them, or if a service of the host uses one that the container
    did not expose `before`. Of two containers in `names` the error is about the later one.
    """
    if not names:
        return
    containers = after.containers.values()
    claims = [(expose, c.name) for c in containers if c.spec is not None for expose in c.spec.expose]
    order = {name: position for position, name in enumerate(names)}
    found = find_overlap(claims, order)
    if found is not None:
        (other, holder), (expose, name) = sorted(found, key=lambda claim: order.get(claim[1], -1))
        raise Conflict(
            f"container {name}: host port {expose} is already exposed by container {holder} ({other})",
            f"choose another host_port, or remove it from container {holder}",
        )
    for name in names:
        present, spec = before.containers[name].spec, after.containers[name].spec
        for expose in sorted({*spec.expose} - {*(present.expose if present else ())}) if spec else ():
            for used in listeners_on(expose, after):
                raise Conflict(
                    f"container {name}: host port {used.port}/{used.protocol} is already used by "
                    f"{used.process or 'a process'} on {used.address}",
                    "choose another host_port, or stop that process",
                )


def listeners_on(expose: Expose, view: NetworkView) -> Iterator[Listening]:
    """Yield the host's sockets that packets for `expose` would reach without it."""
    sockets = view.listeners_by_port.get(expose.protocol, [])
    first, last = expose.host_ports
    for _, found in sockets[bisect_left(sockets, (first,)) : bisect_left(sockets, (last + 1,))]:
        address = ipaddress.ip_address(found.address)
        # A socket on :: also accepts IPv4, unless it sets IPV6_V6ONLY (ipv6(7), sysctl bindv6only).
        versions = (4, 6) if address.is_unspecified and address.version == 6 else (address.version,)
        same = expose.any_address or address.is_unspecified or found.address == expose.host_ip
        if same and set(versions) & set(expose.versions):
            yield found


def port_conflicts(view: NetworkView, name: str) -> list[str]:
    """Return warnings about services of the host whose packets go to container `name` instead."""
    container = view.containers.get(name)
    if container is None or container.spec is None or not container.attached:
        return []
    found = {one for expose in container.spec.expose for one in listeners_on(expose, view)}
    return [
        f"container {name}: {one.process or 'a process'} of the host listens on {one.address} port "
        f"{one.port}/{one.protocol}, which is exposed: its packets go to the container. "
        "Stop that process, or choose another host_port"
        for one in sorted(found, key=lambda one: (one.port, one.protocol, one.address, one.process))
    ]
