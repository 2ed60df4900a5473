# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conflicts between exposed ports and services of the host. Pure.

Exposed ports are not reserved by sockets of ours: those would need a permanent process and a socket for each port of a
range, and would accept connections for a stopped container. A service that binds such a port later is reported instead.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from ..spec.ports import Expose
from .view import Listening, NetworkView


def listeners_on(expose: Expose, listening: Iterable[Listening]) -> Iterator[Listening]:
    """Yield the host's sockets that packets for `expose` would reach without it."""
    for found in listening:
        if found.protocol != expose.protocol or not 0 <= found.port - expose.host_port < expose.count:
            continue
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
    found = {one for expose in container.spec.expose for one in listeners_on(expose, view.listeners)}
    return [
        f"container {name}: {one.process or 'a process'} of the host listens on {one.address} port "
        f"{one.port}/{one.protocol}, which is exposed: its packets go to the container. "
        "Stop that process, or choose another host_port"
        for one in sorted(found, key=lambda one: (one.port, one.protocol, one.address, one.process))
    ]
