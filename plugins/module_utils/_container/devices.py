# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices that a container may use: the rules of its cgroup, and the nodes of the host's devices in its /dev."""

from __future__ import annotations

import os
import stat

from .._errors import InvalidInput
from .._kernel.device_bpf import DeviceRule
from .._kernel.path_text import to_bytes
from .spec.container import ContainerSpec
from .spec.devices import STANDARD_NODES, Device

_STANDARD = (
    # With CAP_MKNOD, nodes may be created; opening them is checked separately. (Standard in runc, crun and docker.)
    DeviceRule("c", None, None, "m"),
    DeviceRule("b", None, None, "m"),
    *(DeviceRule("c", major, minor, "rwm") for _, major, minor in STANDARD_NODES),
    # Terminals: the target of the symlink /dev/ptmx, and /dev/pts/*.
    DeviceRule("c", 5, 2, "rwm"),
    DeviceRule("c", 136, None, "rwm"),
)


def device_rules(spec: ContainerSpec) -> list[DeviceRule] | None:
    """Rules for the devices that the container's cgroup allows; None if it allows all. Raises InvalidInput."""
    if spec.privileged or spec.dev == "host":
        return None
    asked = [_rule(device.source, device.access) for device in spec.devices]
    # A bind-mounted device node is meant to be used. A read-only mount does not prevent writes to a device (mount(2)),
    # so the rule does.
    mounted = [
        _rule(mount.source, "r" if mount.read_only else "rw")
        for mount in spec.mounts
        if mount.type == "bind" and _is_device(mount.source)
    ]
    return [*_STANDARD, *asked, *mounted]


def stat_device(device: Device) -> os.stat_result:
    """Status of the host's device node; symlinks are followed, since names in /dev/disk/by-id are symlinks.

    Raises InvalidInput if the path does not exist or is not a device.
    """
    try:
        found = os.stat(to_bytes(device.source))
    except OSError as error:
        raise InvalidInput(
            f"devices: {device.source} does not exist on the host ({error.strerror})",
            "load its driver, or correct the path",
        ) from None
    if not stat.S_ISCHR(found.st_mode) and not stat.S_ISBLK(found.st_mode):
        raise InvalidInput(f"devices: {device.source} is not a device", "give the path of a device node")
    return found


def check_devices(spec: ContainerSpec) -> None:
    """Check that the host has the devices of `spec`. Changes nothing. Raises InvalidInput if it lacks one."""
    for device in spec.devices:
        stat_device(device)


def _rule(source: str, access: str) -> DeviceRule:
    found = stat_device(Device(source, source, access))
    kind = "c" if stat.S_ISCHR(found.st_mode) else "b"
    return DeviceRule(kind, os.major(found.st_rdev), os.minor(found.st_rdev), access)


def _is_device(path: str) -> bool:
    try:
        mode = os.stat(to_bytes(path)).st_mode
    except OSError:
        # The mount reports the error.
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
