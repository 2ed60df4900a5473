# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platforms of a molecule scenario as a stack of containers with systemd."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.validation import check_type_dict
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.ulimits import parse_ulimits
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.mounts import (
    check_mounts,
    parse_one_tmpfs,
    parse_volume,
)
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.networks import network_options
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.node import (
    Node,
    Refused,
    collected,
    each,
)
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.compose.service import (
    Context,
    parse_service,
)

DOCUMENTATION = r"""
name: molecule_stack
short_description: Stack of containers for the platforms of a molecule scenario
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Returns the options of M(conductor.containers.conductor_stack) and the images of Debian that the platforms of a
    scenario need, also if they were written for molecule's docker or podman driver.
  - Every platform becomes a container with C(init=true). Of the options of a platform, C(image), C(hostname), C(env),
    C(capabilities), C(cap_drop), C(sysctls), C(memory), C(memory_swap), C(cpus), C(shm_size), C(devices), C(ulimits),
    C(labels), C(volumes), C(tmpfs), C(stop_signal), C(restart_policy), C(restart_retries), C(published_ports),
    C(dns_servers) and C(etc_hosts) are used, in the forms of docker.
  - C(volumes) with an absolute path of the host and C(tmpfs) become mounts. Named and anonymous volumes are refused. A
    volume of C(/sys/fs/cgroup), and a tmpfs on C(/run), C(/run/lock) or C(/tmp), has no effect, since systemd has its
    own.
  - C(published_ports) need a port of the host, as in V(8080:80) or V(127.0.0.1:8080:80/tcp).
  - Options that make systemd work in docker, such as C(command), C(privileged), C(cgroupns_mode) and C(security_opts),
    and options for docker's images, such as C(pre_build_image) and C(dockerfile), have no effect.
  - Any other option is refused, for instance C(networks) and C(links), unless its value is empty or its name begins
    with C(x-).
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
    description:
      - Options of M(conductor.containers.conductor_container) for all containers. An option of a platform takes the
        place of one of these; options of its key C(network) are replaced one by one.
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
# Keys of a platform, each with the key of a Compose service that has the same forms.
_SERVICE = {
    "hostname": "hostname", "env": "environment", "capabilities": "cap_add", "cap_drop": "cap_drop",
    "sysctls": "sysctls", "memory": "mem_limit", "memory_swap": "memswap_limit", "cpus": "cpus",
    "shm_size": "shm_size", "devices": "devices", "labels": "labels", "stop_signal": "stop_signal",
    "restart_policy": "restart", "published_ports": "ports", "dns_servers": "dns", "etc_hosts": "extra_hosts",
}  # fmt: skip
# Other keys with an effect.
_OTHERS = {"name", "image", "volumes", "tmpfs", "ulimits", "restart_retries"}
# Lists, for which a text is taken, too.
_LISTS = {"capabilities", "cap_drop", "devices", "volumes", "tmpfs", "ulimits", "published_ports"}
# Keys without a counterpart that a container with systemd does not need.
_WITHOUT_EFFECT = {
    # They make systemd work in docker and podman, or describe the first process, which is systemd.
    "command", "override_command", "command_handling", "container_default_behavior", "privileged", "cgroupns_mode",
    "cgroup_parent", "cgroup_manager", "systemd", "tty", "detach", "runtime", "kill_signal",
    # They say how docker and podman get an image and store it, and where they run.
    "dockerfile", "pre_build_image", "pull", "force", "registry", "buildargs", "cache_from", "platform", "docker_host",
    "cacert_path", "cert_path", "key_path", "tls_verify", "keep_volumes", "rootless", "storage_driver", "storage_opt",
    # Every port is open to peers, and the networks of the drivers are refused.
    "exposed_ports", "networks_cli_compatible", "purge_networks",
    # Groups of molecule's inventory.
    "groups", "children",
}  # fmt: skip
# Values with which other keys have no effect, each a pattern for the value, or for all entries of a list.
_HARMLESS = {
    "user": r"root(:root)?|0(:0)?",
    "network_mode": "bridge|default",
    "security_opts": "(seccomp|apparmor|label|systempaths)[=:].*",
}
_NETWORKS = "omit it, and connect the containers with conductor_peer in prepare.yml"
_REMEDIES = {
    "user": "omit it, and set conductor_user, the user of the connection, in the inventory of the provisioner",
    "network_mode": "omit it for a network of its own",
    "networks": _NETWORKS,
    "network": _NETWORKS,
    "docker_networks": _NETWORKS,
    "links": _NETWORKS,
    "mounts": "list them in volumes, as SOURCE:TARGET[:ro]",
    "cap_add": "list them in capabilities",
    "pkg_extras": "omit it, and add the packages to molecule_packages",
}
_OPTIONS = "omit it, or set an option of conductor_container in molecule_options"
# Mounts that systemd needs in docker, and that init: true makes itself: the source of a volume, the targets of a tmpfs.
_CGROUPS = "/sys/fs/cgroup"
_TMPFS = (_CGROUPS, "/run", "/run/lock", "/tmp")


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
        containers[name] = {**_container(name, platform, options or {}, problems), "image": image}
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


def _container(
    name: str, platform: Mapping[str, Any], options: Mapping[str, Any], problems: list[Refused]
) -> dict[str, Any]:
    """Return the options of the container of `platform`, which take the place of those of all platforms, `options`."""
    node = Node(platform, ("platforms", name))
    # An empty value changes nothing.
    nodes = {key: _list_of_text(one) for key, one in node.fields().items() if one.value}
    for key, one in nodes.items():
        if key not in (*_SERVICE, *_OTHERS, *_WITHOUT_EFFECT) and not _is_harmless(key, one.value):
            problems.append(one.refused("not supported", _REMEDIES.get(key, _OPTIONS)))
    fields = {
        service: replace(nodes[key], value=_service_value(key, nodes[key].value, platform))
        for key, service in _SERVICE.items()
        if key in nodes
    }
    if "memswap_limit" in fields and "mem_limit" not in fields and options.get("memory"):
        # It includes the memory.
        fields["mem_limit"] = Node(options["memory"], ("molecule_options", "memory"))
    found = {
        **options,
        **parse_service(node, fields, Context({}, problems=problems)),
        **_mounts(nodes, problems),
        "init": True,
        "wait": _BOOTED,
    }
    if "ulimits" in nodes:
        with collected(problems):
            found["ulimits"] = _ulimits(nodes["ulimits"])
    network = network_options(fields, problems)
    if "expose" in network:
        found["expose"] = network.pop("expose")
    network = {**(options.get("network") or {}), **network}
    if "published_ports" in nodes:
        # They are beside it, and the same option in both places is refused.
        network.pop("expose", None)
    if network:
        found["network"] = network
    return found


def _list_of_text(node: Node) -> Node:
    """Return the node of a list with a list in place of a text, as options of Ansible's modules for docker take it."""
    is_text = node.path[-1] in _LISTS and isinstance(node.value, str)
    return replace(node, value=node.value.split(",")) if is_text else node


def _is_harmless(key: str, value: object) -> bool:
    values = value if isinstance(value, list) else [value]
    return key in _HARMLESS and all(re.fullmatch(_HARMLESS[key], str(one)) for one in values)


def _service_value(key: str, value: Any, platform: Mapping[str, Any]) -> Any:
    """Return the `value` of `key` in the form that Compose has for it."""
    if key == "memory_swap" and value == "unlimited":
        return "-1"
    if key == "restart_policy" and value == "on-failure":
        return f"{value}:{platform.get('restart_retries') or 0}"
    if key == "etc_hosts" and isinstance(value, str):
        # The driver's documentation shows a dictionary in quotes, which Ansible's modules accept.
        with suppress(TypeError):
            return check_type_dict(value)
    return value


def _ulimits(node: Node) -> list[str]:
    """Return `NAME:SOFT:HARD` of docker or `NAME=SOFT:HARD` of podman as the option ulimits."""
    found = [one.text().replace("=", ":", 1) for one in node.entries()]
    node.checked(lambda: parse_ulimits(found, "ulimits"), "ulimits")
    return found


def _mounts(nodes: Mapping[str, Node], problems: list[Refused]) -> dict[str, Any]:
    """Return the option mounts for `volumes` and `tmpfs`, without those that systemd needs in docker."""
    found = []
    with collected(problems):
        volumes = nodes["volumes"].entries() if "volumes" in nodes else []
        own = [one for one in volumes if not f"{_first(one)}/".startswith(f"{_CGROUPS}/")]
        # A relative path is refused by the parser of the option.
        found += each(own, lambda one: parse_volume(one, ""), problems)
    with collected(problems):
        tmpfs = _tmpfs(nodes["tmpfs"]) if "tmpfs" in nodes else []
        found += each([one for one in tmpfs if _first(one) not in _TMPFS], parse_one_tmpfs, problems)
    with collected(problems):
        if found:
            check_mounts(nodes["volumes" if "volumes" in nodes else "tmpfs"], found)
    return {"mounts": found} if found else {}


def _tmpfs(node: Node) -> list[Node]:
    """Return the entries of `tmpfs`, which for podman is a dictionary of options by target."""
    if not isinstance(node.value, Mapping):
        return node.entries()
    return [replace(one, value=f"{target}:{one.value or ''}") for target, one in node.members().items()]


def _first(node: Node) -> str:
    """Return the source of a volume, or the target of a tmpfs."""
    return posixpath.normpath(node.text().partition(":")[0])


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict:
        return {"molecule_stack": molecule_stack}
