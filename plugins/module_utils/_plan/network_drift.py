# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the kernel disagrees with the specs, in words. Pure."""

from __future__ import annotations

from .._model.network import Link, link_name
from .firewall import BASE
from .inside_files import inside_files
from .link import problems_of
from .network import elements_of, wanted_elements
from .network_view import NetworkView
from .port_conflicts import port_conflicts


def drift_of(view: NetworkView, name: str) -> list[str]:
    """What is not as the spec of the container `name` says; [] where all is right."""
    container = view.containers.get(name)
    if container is None:
        return []
    if container.damage:
        return [container.damage]
    outer = link_name(name)
    if container.spec is None or not container.attached:
        return [] if container.pair is None else [f"the link {outer} should not be there"]
    link = Link.of(name, container.spec)
    drift = list(problems_of(link, container.pair)) if container.pair else [f"the link {outer} is missing"]
    found = view.firewall.elements
    lacking = {set_name for set_name, e in elements_of(view, container) if e not in found.get(set_name, ())}
    drift += [f"the firewall set {set_name} lacks elements" for set_name in sorted(lacking)]
    if container.files is not None:
        for path, content in sorted(inside_files(view, name, container.hostname, container.files).items()):
            if path in container.files and container.files[path] != content:
                drift.append(f"{path} inside differs")
    return drift + port_conflicts(view, name)


def _stray_elements(view: NetworkView) -> list[str]:
    if view.damage:
        return []  # they may be those of the container whose spec cannot be read
    wanted, found = wanted_elements(view), view.firewall.elements
    stray = sorted(name for name in wanted if found.get(name, frozenset()) - wanted[name])
    return [f"the firewall set {name} has elements that it should not have" for name in stray]


def host_drift(view: NetworkView) -> list[str]:
    """What is not right with the host as a whole."""
    needed = any(container.attached and container.spec for container in view.containers.values())
    drift = [f"the link {outer} belongs to no container" for outer in view.stray_links] + _stray_elements(view)
    if needed and view.firewall.base is None:
        drift.append("the firewall table inet conductor is missing")
    elif view.firewall.base not in (None, BASE):
        drift.append("the rules of the firewall table inet conductor were changed")
    if needed and not view.forwarding.ipv4:
        drift.append("IPv4 forwarding is off")
    if needed and not view.forwarding.ipv6:
        drift.append("IPv6 forwarding is off")
    return drift
