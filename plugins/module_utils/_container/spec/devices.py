# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices of a container: the standard ones of a private /dev, and those of the option devices."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..._errors import InvalidInput
from .mounts import parse_path

# Name, major, minor: Documentation/admin-guide/devices.txt. VPN software requires net/tun.
STANDARD_NODES = (
    ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0),
    ("net/tun", 10, 200),
)  # fmt: skip
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
# Separate mounts, which would hide nodes in these directories.
MOUNT_POINTS = ("pts", "shm", "mqueue")


@dataclass(frozen=True)
class Device:
    """A device of the host: its path there, its path inside, and the permitted access (some of r, w, m)."""

    source: str
    target: str
    access: str

    @classmethod
    def parse(cls, value: object, option: str) -> Device:
        """HOST[:INSIDE][:rwm], as in docker and podman. Raises InvalidInput."""
        # Names in /dev/disk/by-path contain ':', but never before '/', or before a last part of only r, w and m.
        match = re.fullmatch(r"(/.*?)(?::(/.*?))?(?::([rwm]{1,3}))?", value) if isinstance(value, str) else None
        if match is None:
            raise InvalidInput(
                f"{option}: {value!r} is not a device",
                "write /dev/NAME, /dev/NAME:/dev/INSIDE or /dev/NAME:/dev/INSIDE:rw",
            )
        source = parse_path(match[1], option)
        target = parse_path(match[2] or match[1], option)
        if not target.startswith("/dev/"):
            raise InvalidInput(f"{option}: {target} is not below /dev", f"write {source}:/dev/NAME")
        access = match[3] or "rwm"
        if len(set(access)) != len(access):
            raise InvalidInput(f"{option}: {value!r} has a permission twice", "write each of r, w and m once at most")
        return cls(source, target, "".join(letter for letter in "rwm" if letter in access))

    def __str__(self) -> str:
        return f"{self.source}:{self.target}:{self.access}"


def parse_devices(values: Iterable[object], option: str) -> tuple[Device, ...]:
    """Devices sorted by their path inside. Raises InvalidInput."""
    parsed = (Device.parse(value, option) for value in values)
    # Each container has these anyway, and files for docker name /dev/net/tun.
    standard = {f"/dev/{node[0]}" for node in STANDARD_NODES}
    wanted = (device for device in parsed if device.source != device.target or device.target not in standard)
    devices = sorted(wanted, key=lambda device: device.target.split("/"))
    targets = [device.target for device in devices]
    ours = [f"/dev/{name}" for name in (*(node[0] for node in STANDARD_NODES), *LINKS, *MOUNT_POINTS)]
    for number, target in enumerate(targets):
        for other in ours:
            if target == other or target.startswith(f"{other}/") or other.startswith(f"{target}/"):
                raise InvalidInput(
                    f"{option}: {target} clashes with {other}, which each container has", "choose another path inside"
                )
        for other in targets[:number]:
            if target == other or target.startswith(f"{other}/"):
                raise InvalidInput(
                    f"{option}: {target} clashes with {other}, another device", "choose another path inside"
                )
    return tuple(devices)
