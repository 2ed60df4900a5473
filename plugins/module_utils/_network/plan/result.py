# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of the modules about a container's network. Pure."""

from __future__ import annotations

from typing import Any

from ..spec.network import link_name
from .resolv_conf import name_servers
from .view import NetworkView


def network_result(view: NetworkView, name: str) -> dict[str, Any] | None:
    """Return the network of container `name` in terms of the options, or None if it has none."""
    container = view.containers.get(name)
    if container is None or container.spec is None:
        return None
    spec = container.spec
    stored = spec.to_dict()
    servers = name_servers(view, spec)
    peers = [
        {"peer": e.peer, "ports": [str(ports) for ports in e.ports]} for e in spec.peers if view.peer_of(e) is not None
    ]
    return {
        "container": name,
        **{key: stored[key] for key in ("ipv4", "gateway4", "ipv6", "gateway6", "mac", "mtu", "internet")},
        "uplink": spec.interface,
        **{key: stored[key] for key in ("host_access", "metadata", "expose")},
        "dns": list(servers.servers) if servers else None,
        **{key: stored[key] for key in ("dns_search", "dns_options", "extra_hosts")},
        "peers": peers,
        "interface": link_name(name),
        "attached": container.attached,
    }
