# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wanted spec of a container: the present one, or the defaults, with the given options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..._engine.names import parse_name
from ..._errors import InvalidInput
from .capabilities import parse as parse_capabilities
from .container import FIELDS, ContainerSpec
from .mounts import SHARED
from .values import default_hostname

# https://systemd.io/CONTAINER_INTERFACE: systemd as pid 1 powers off in order on SIGRTMIN+3; 34 is glibc's SIGRTMIN.
_INIT_STOP_SIGNAL = 34 + 3


def parse_changes(params: dict[str, Any]) -> dict[str, Any]:
    """Checked values for the fields of the spec that are given in `params` of the module. Raises InvalidInput."""
    given = {name: value for name, value in params.items() if value is not None}
    changes: dict[str, Any] = {"name": parse_name(given["name"], "name")}
    for name, field in FIELDS.items():
        if name in given and field.parse is not None:
            changes[name] = field.parse(given[name], name)
    capabilities = given.get("capabilities") or {}
    for part in ("add", "drop"):
        if capabilities.get(part) is not None:
            changes[f"capabilities_{part}"] = parse_capabilities(capabilities[part], f"capabilities.{part}")
    if changes.get("init") and "command" in changes:
        raise InvalidInput("command and init are mutually exclusive", "leave out command to boot /sbin/init")
    return changes


def merge(old: ContainerSpec | None, changes: dict[str, Any]) -> ContainerSpec:
    """The wanted spec: the container's present one (or the defaults), updated by `changes`. Raises InvalidInput."""
    if old is None and "image" not in changes:
        raise InvalidInput(
            f"container {changes['name']} does not exist, and no image is given to create it from", "set image"
        )
    if old is not None and old.init and "command" in changes and "init" not in changes:
        raise InvalidInput(
            f"{old.name} boots an init (init: true), and command is given", "set init: false to run a command instead"
        )
    changes = {**_of_init(old, changes), **changes}
    spec = ContainerSpec(**changes) if old is None else replace(old, **changes)
    _check_kinds(spec)
    if spec.devices and spec.dev == "host":
        raise InvalidInput("devices and dev: host are mutually exclusive", "leave out one of them")
    if spec.memory_swap > 0 and not 0 < spec.memory <= spec.memory_swap:
        raise InvalidInput(
            f"memory_swap: {spec.memory_swap} is less than memory, or memory has no limit",
            "set it to the sum of memory and swap, or to 0 for no swap",
        )
    for mount in spec.mounts:
        if mount.propagation == SHARED and spec.userns != "host":
            raise InvalidInput(
                f"mounts: propagation shared of {mount.target} requires userns: host, since a user namespace has no "
                "right to mount on the host",
                "set propagation: slave, which shows what the host mounts, or userns: host",
            )
        if mount.is_sysctl and not (spec.privileged and spec.userns == "host"):
            raise InvalidInput(
                f"mounts: target {mount.target} is a setting of the host's kernel",
                "set privileged: true and userns: host, or leave out the mount",
            )
    return spec if spec.hostname else replace(spec, hostname=default_hostname(spec.name))


def _of_init(old: ContainerSpec | None, changes: dict[str, Any]) -> dict[str, Any]:
    """The defaults that depend on init, if `changes` set it to another value than that of `old`."""
    if "init" not in changes or (old is not None and old.init == changes["init"]):
        return {}
    if changes["init"]:
        return {"command": ("/sbin/init",), "stop_signal": _INIT_STOP_SIGNAL}
    return {"command": ContainerSpec.command, "stop_signal": ContainerSpec.stop_signal}


def _check_kinds(spec: ContainerSpec) -> None:
    """Refuse values that the reader of container.json would refuse. The values themselves may be secret."""
    for name, value in spec.to_json().items():
        if not FIELDS[name].kind(value):
            if isinstance(value, (int, float)):
                raise InvalidInput(f"{name}: {value} is too large", "give a smaller number")
            raise InvalidInput(f"{name}: has a character that is NUL or no Unicode", "leave it out")
