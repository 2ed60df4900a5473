# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of the host on ports that it exposes for a container. Pure.

A port is not held by a socket of ours: that would take a process that stays, a socket for each port of a range, and
would answer for a container that is stopped. A service that binds one later is named instead.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from ..spec.ports import Expose
from .view import Listening, NetworkView


def listeners_on(expose: Expose, listening: Iterable[Listening]) -> Iterator[Listening]:
    """Those sockets of the host that packets for `expose` would be meant for."""
    for found in listening:
        if found.protocol != expose.protocol or not 0 <= found.port - expose.host_port < expose.count:
            continue
        address = ipaddress.ip_address(found.address)
        # A socket on :: takes IPv4 too, unless it says otherwise (ipv6(7), bindv6only).
        versions = (4, 6) if address.is_unspecified and address.version == 6 else (address.version,)
        same = expose.any_address or address.is_unspecified or found.address == expose.host_ip
        if same and set(versions) & set(expose.versions):
            yield found


def port_conflicts(view: NetworkView, name: str) -> list[str]:
    """Services of the host whose packets go to the container `name` instead."""
    container = view.containers.get(name)
    if container is None or container.spec is None or not container.attached:
        return []
    found = {one for expose in container.spec.expose for one in listeners_on(expose, view.listeners)}
    return [
        f"the host's {one.process or 'a process'} listens on {one.address} port {one.port}/{one.protocol}, "
        f"which is exposed for {name}: its packets go to the container. Stop it, or choose another host_port"
        for one in sorted(found, key=lambda one: (one.port, one.protocol, one.address, one.process))
    ]
