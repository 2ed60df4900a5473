# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms of a molecule scenario as a stack of containers with systemd."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.node import (
    Node,
    Refused,
    collected,
)
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.ports import parse_ports

DOCUMENTATION = r"""
name: molecule_stack
short_description: Stack of containers for the platforms of a molecule scenario
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Returns the options of M(conductor.containers.conductor_stack) and the images of Debian that the platforms of a
    scenario need, also if they were written for molecule's docker or podman driver.
  - Every platform becomes a container with C(init=true). C(image), C(hostname), C(env), C(capabilities),
    C(published_ports) and C(sysctls) of a platform are used. C(command), C(privileged), C(volumes) of
    C(/sys/fs/cgroup), C(cgroupns_mode), C(tmpfs), C(pre_build_image) and others, which make systemd work in docker,
    have no effect.
  - An image of the host is used by its name. Otherwise a name with V(debian12), V(bookworm), V(debian13) or V(trixie)
    in it, like V(geerlingguy/docker-debian12-ansible), stands for the image C(molecule-SUITE).
options:
  _input:
    description: C(platforms) of the scenario.
    type: list
    elements: dict
    required: true
  present:
    description: Names of the images of the host.
    type: list
    elements: str
    required: true
  options:
    description: Options of M(conductor.containers.conductor_container) for all containers.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show the containers of a scenario
  ansible.builtin.debug:
    msg: "{{ platforms | conductor.containers.molecule_stack(['debian']) }}"
  vars:
    platforms:
      - {name: instance, image: debian}
      - {name: older, image: geerlingguy/docker-debian12-ansible}
"""

RETURN = r"""
_value:
  description:
    - A dictionary of C(containers), the option of M(conductor.containers.conductor_stack); C(suites), the suites of
      the images to build; and C(instances), the content of molecule's file of instances.
  type: dict
"""

_SUITES = {"bookworm": "bookworm", "debian12": "bookworm", "trixie": "trixie", "debian13": "trixie"}
_BOOTED = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
# Options of a platform that containers have, too.
_SAME = ("hostname", "env", "sysctls")


def molecule_stack(
    platforms: Iterable[Mapping[str, Any]], present: Iterable[str], options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return containers, suites of images and instances for `platforms`. Raises AnsibleFilterError."""
    known, suites, containers = set(present), set(), {}
    problems: list[Refused] = []
    for platform in platforms:
        name = str(platform.get("name") or "")
        image = str(platform.get("image") or "")
        if image not in known:
            suite = _suite(name, image)
            suites.add(suite)
            image = f"molecule-{suite}"
        containers[name] = {**(options or {}), **_container(name, platform, problems), "image": image}
    if problems:
        raise AnsibleFilterError("\n".join(map(str, problems)))
    instances = [
        {"instance": name, "address": "localhost", "connection": "conductor.containers.conductor"}
        for name in containers
    ]
    return {"containers": containers, "suites": sorted(suites), "instances": instances}


def _suite(name: str, image: str) -> str:
    words = re.sub(r"[^a-z0-9]", "", image.lower())
    found = next((suite for word, suite in _SUITES.items() if word in words), None)
    if found is None:
        raise AnsibleFilterError(
            f"platform {name}: {image!r} is not an image of this host, and its name has none of {', '.join(_SUITES)}. "
            "Create it with conductor_image, or choose another image."
        )
    return found


def _container(name: str, platform: Mapping[str, Any], problems: list[Refused]) -> dict[str, Any]:
    found: dict[str, Any] = {option: platform[option] for option in _SAME if platform.get(option)}
    if platform.get("capabilities"):
        found["capabilities"] = {"add": list(platform["capabilities"])}
    if platform.get("published_ports"):
        ports = Node(platform["published_ports"], ("platforms", name, "published_ports"))
        with collected(problems):
            found["expose"] = parse_ports(ports, problems)
    return {**found, "init": True, "wait": _BOOTED}


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict:
        return {"molecule_stack": molecule_stack}
