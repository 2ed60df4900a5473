# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capabilities that processes inside can have (include/uapi/linux/capability.h, capabilities(7))."""

from __future__ import annotations

from collections.abc import Iterable

from ..._engine.option import Option
from ..._errors import InvalidInput

# In the order of their numbers.
NAMES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()

# docker's default without MKNOD, which would allow to create a node of the host's disk.
DEFAULT = frozenset(
    "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT AUDIT_WRITE "
    "SETFCAP".split()
)
# In addition to them, what systemd and the services of a Debian machine need. In a user namespace of its own these act
# on what belongs to the container: its mounts, its network, its processes, its reboot. Some have no effect there
# (IPC_LOCK, LEASE, LINUX_IMMUTABLE, SYS_NICE, SYS_RESOURCE, SYS_TTY_CONFIG), but a unit that names them in
# AmbientCapabilities= or CapabilityBoundingSet= gets them, as on a machine.
MACHINE = DEFAULT | frozenset(
    "DAC_READ_SEARCH IPC_LOCK IPC_OWNER LEASE LINUX_IMMUTABLE NET_ADMIN NET_BROADCAST SYS_ADMIN SYS_BOOT SYS_NICE "
    "SYS_PTRACE SYS_RESOURCE SYS_TTY_CONFIG".split()
)
ALL = frozenset(NAMES)

OPTION = Option(
    "dict",
    (
        "Changes to the capabilities that processes inside can have at most, see C(capabilities(7\\)). V(ALL) stands "
        "for all of them.",
        "The default set is docker's without C(MKNOD).",
        "With O(init) and a user namespace it has what systemd and services of a machine need, too: "
        "C(DAC_READ_SEARCH), C(IPC_LOCK), C(IPC_OWNER), C(LEASE), C(LINUX_IMMUTABLE), C(NET_ADMIN), C(NET_BROADCAST), "
        "C(SYS_ADMIN), C(SYS_BOOT), C(SYS_NICE), C(SYS_PTRACE), C(SYS_RESOURCE) and C(SYS_TTY_CONFIG).",
    ),
    suboptions={
        "add": Option("list", ("Capabilities to add.",), elements="str"),
        "drop": Option("list", ("Capabilities to drop.",), elements="str"),
    },
)


def parse(values: Iterable[object], option: str) -> tuple[str, ...]:
    """Names without CAP_, in upper case, sorted. Raises InvalidInput, which names the `option`."""
    found = set()
    for value in values:
        name = str(value).upper().removeprefix("CAP_") if isinstance(value, str) else ""
        if name not in ALL and name != "ALL":
            raise InvalidInput(
                f"{option}: {value!r} is not a capability", "use a name of capabilities(7), or ALL for all of them"
            )
        found.add(name)
    return tuple(sorted(found))


def bounding(default: frozenset[str], add: Iterable[str], drop: Iterable[str]) -> frozenset[str]:
    """The bounding set: `default` without `drop` and with `add`."""
    base = frozenset() if "ALL" in drop else default - frozenset(drop)
    return ALL - (frozenset(drop) - {"ALL"}) if "ALL" in add else base | frozenset(add)


def mask(names: Iterable[str]) -> int:
    """The bit mask of `names`."""
    return sum(1 << NAMES.index(name) for name in names)
