# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe drift, the differences between the specs and the kernel. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..spec.network import Link, link_name
from .firewall_table import base_of
from .forwarding import wanted_fence
from .hosts_files import inside_files
from .port_conflicts import port_conflicts
from .projection import elements_of, needs_localnet, wanted_elements
from .veth import link_problems
from .view import NetworkView


def container_drift(view: NetworkView, name: str) -> list[str]:
    """Return the drift of container `name`, [] without drift."""
    container = view.containers.get(name)
    if container is None:
        return []
    if container.damage:
        return [container.damage]
    outer = link_name(name)
    if container.spec is None or not container.attached:
        return [] if container.pair is None else [f"link {outer} should not exist"]
    link = Link.of(name, container.spec)
    drift = list(link_problems(link, container.pair)) if container.pair else [f"link {outer} is missing"]
    is_local = needs_localnet(view, container)
    if container.pair and container.pair.routes_localnet(outer) != is_local:
        drift.append(f"{outer} {'does not route' if is_local else 'routes'} replies to localhost")
    if outer in view.links and outer not in view.firewall.links:
        drift.append(f"the firewall chain of {outer} is missing or was changed")
    found = view.firewall.elements
    lacking = {set_name for set_name, e in elements_of(view, container) if e not in found.get(set_name, ())}
    drift += [f"the firewall set {set_name} lacks elements" for set_name in sorted(lacking)]
    if container.files is not None:
        for path, content in sorted(inside_files(view, name, container.hostname, container.files).items()):
            if path in container.files and container.files[path] != content:
                drift.append(f"{path} in the container differs")
    return drift + unwritable_files(view, name) + port_conflicts(view, name)


def unwritable_files(view: NetworkView, name: str) -> list[str]:
    """Return the managed files that cannot be written in container `name`, each with the reason."""
    container = view.containers.get(name)
    if container is None or not container.unwritable:
        return []
    wanted = inside_files(view, name, container.hostname, container.files or {})
    return [
        f"cannot write {path} in the container: {why}" for path, why in container.unwritable.items() if path in wanted
    ]


def unwritable_file_warnings(view: NetworkView, names: Iterable[str]) -> list[str]:
    """Return warnings for files that processes in the containers `names` keep from being written."""
    return [f"container {name}: {problem}" for name in sorted(names) for problem in unwritable_files(view, name)]


def _stray_elements(view: NetworkView) -> list[str]:
    if view.damage:
        return []  # they may belong to the container with the damaged spec
    wanted, found = wanted_elements(view), view.firewall.elements
    stray = sorted(name for name in wanted if found.get(name, frozenset()) - wanted[name])
    lacking = sorted(name for name in ("uplink", "fenced4", "fenced6") if wanted[name] - found.get(name, frozenset()))
    drift = [f"the firewall set {name} has unexpected elements" for name in stray]
    return drift + [f"the firewall set {name} lacks elements" for name in lacking]


def host_drift(view: NetworkView) -> list[str]:
    """Return the drift of the host as a whole."""
    needed = any(view.connected())
    drift = [f"link {outer} belongs to no container" for outer in view.stray_links]
    drift += _stray_elements(view) if view.firewall.whole else []
    if needed and not view.firewall.whole:
        drift.append("the firewall table inet conductor is missing")
    elif view.firewall.base not in (None, base_of(view.most_connections)):
        drift.append("the rules of the firewall table inet conductor were changed")
    if needed and not view.forwarding.ipv4:
        drift.append("IPv4 forwarding is off")
    if needed and not view.forwarding.ipv6:
        drift.append("IPv6 forwarding is off")
    if wanted_fence(view) != view.forwarding.fence:
        drift.append("the routing rules that keep this host from forwarding for others differ")
    return drift
