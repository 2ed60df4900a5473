# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices that a container may use: what its cgroup allows, and the nodes of the host's devices in its /dev."""

from __future__ import annotations

import os
import stat

from .._errors import InvalidInput
from .._kernel.device_bpf import DeviceRule
from .._kernel.execute import to_bytes
from .spec.container import ContainerSpec
from .spec.devices import STANDARD_NODES, Device

_STANDARD = (
    # Whoever has the capability may make nodes; to use them is another matter. (Standard with runc, crun and docker.)
    DeviceRule("c", None, None, "m"),
    DeviceRule("b", None, None, "m"),
    *(DeviceRule("c", major, minor, "rwm") for _, major, minor in STANDARD_NODES),
    # Terminals: what /dev/ptmx leads to, and /dev/pts/*.
    DeviceRule("c", 5, 2, "rwm"),
    DeviceRule("c", 136, None, "rwm"),
)


def device_rules(spec: ContainerSpec) -> list[DeviceRule] | None:
    """What the container's cgroup allows; None where that is all. Raises InvalidInput."""
    if spec.privileged or spec.dev == "host":
        return None
    asked = [_rule(device.source, device.access) for device in spec.devices]
    # A device that is itself the source of a mount is meant to be used. That a mount is read-only does not hinder who
    # writes to a device (mount(2)), so this does.
    mounted = [
        _rule(mount.source, "r" if mount.read_only else "rw")
        for mount in spec.mounts
        if mount.type == "bind" and _is_device(mount.source)
    ]
    return [*_STANDARD, *asked, *mounted]


def node_of(device: Device) -> os.stat_result:
    """What the host has at the device's path, links followed: names below /dev/disk/by-id are links.

    Raises InvalidInput where that is no device.
    """
    try:
        found = os.stat(to_bytes(device.source))
    except OSError as error:
        raise InvalidInput(
            f"devices: {device.source} is not on the host ({error.strerror})", "load its driver, or correct it"
        ) from None
    if not stat.S_ISCHR(found.st_mode) and not stat.S_ISBLK(found.st_mode):
        raise InvalidInput(f"devices: {device.source} is not a device", "name the device itself")
    return found


def check_devices(spec: ContainerSpec) -> None:
    """Raises InvalidInput where a device is not on this host. Changes nothing."""
    for device in spec.devices:
        node_of(device)


def _rule(source: str, access: str) -> DeviceRule:
    found = node_of(Device(source, source, access))
    kind = "c" if stat.S_ISCHR(found.st_mode) else "b"
    return DeviceRule(kind, os.major(found.st_rdev), os.minor(found.st_rdev), access)


def _is_device(path: str) -> bool:
    try:
        mode = os.stat(to_bytes(path)).st_mode
    except OSError:
        # Told where it is mounted.
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
