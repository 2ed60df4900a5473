# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of a cgroup in both versions: all of them are set, or none.

Sources: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/*.rst.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass

from .._errors import EffectFailed, HostNotCapable
from . import cpuset
from .cgroup import Cgroup, read_control_file, write_control_file

_CPU_PERIOD = 100_000
_V1_UNLIMITED_MEMORY = -1


@dataclass(frozen=True)
class CgroupLimits:
    """memory: bytes; cpus: CPUs; pids: processes; swap: bytes besides memory; cpuset: CPUs as cpuset(7) lists them.

    No limit is 0, for swap -1, for cpuset "".
    """

    memory: int = 0
    cpus: float = 0
    pids: int = 0
    swap: int = -1
    cpuset: str = ""


@dataclass(frozen=True)
class _Setting:
    """A control file, None if the host has no such hierarchy, its content, and whether it is a limit."""

    path: str | None
    value: str
    is_limit: bool

    def is_missing(self) -> bool:
        """Return whether the host cannot set a limit that is asked for."""
        return self.is_limit and (self.path is None or not os.path.exists(self.path))


def set_limits(cgroup: Cgroup, limits: CgroupLimits, most_pids: int = 0) -> None:
    """Set all limits or none: if the kernel refuses one of them, the previous values are restored.

    `most_pids`: the default number of pids, which is not required: it is skipped on a host without the pids controller.
    Raises HostNotCapable if the controller of another limit is missing, and EffectFailed.
    """
    if limits.cpuset:
        cpuset.enable(cgroup)
    settings = _settings(cgroup, limits, most_pids)
    if any(setting.is_missing() for setting in settings):
        raise HostNotCapable(
            "this host cannot limit memory, memory_swap, cpus, cpuset or pids: a cgroup controller is missing",
            "enable the controllers memory, cpu, cpuset and pids, or omit the limits",
        )
    before: list[tuple[str, str]] = []
    for setting in settings:
        path = setting.path
        if path is None or not os.path.exists(path):
            continue
        present = read_control_file(path).strip()
        try:
            if path.endswith("memory.limit_in_bytes"):
                # In version 1 the limit of memory plus swap may at no time be below that of memory.
                _lift(path.replace("memory.limit", "memory.memsw.limit"), before)
            write_control_file(path, setting.value)
            before.append((path, present))
        except OSError as error:
            for changed, old in reversed(before):
                with contextlib.suppress(OSError):
                    write_control_file(changed, _unlimited(changed, old))
            raise _refused(cgroup, path, setting.value, error) from None
    if limits.cpuset:
        cpuset.move_processes(cgroup)


def has_limits(cgroup: Cgroup, limits: CgroupLimits) -> bool:
    """Return whether the limits are in force."""
    if limits.cpuset and not cpuset.is_enabled(cgroup):
        return False
    for setting in _settings(cgroup, limits):
        path, value = setting.path, setting.value
        if path is None or not os.path.exists(path):
            continue
        found = read_control_file(path).strip()
        if path.endswith(("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")):
            # The kernel rounds down to pages, and shows "no limit" as the largest multiple of a page.
            page = os.sysconf("SC_PAGE_SIZE")
            limit = int(found) if int(found) < (1 << 63) - page else _V1_UNLIMITED_MEMORY
            same = limit == (int(value) // page * page if int(value) > 0 else int(value))
        elif path.endswith(("memory.max", "memory.swap.max")):
            page = os.sysconf("SC_PAGE_SIZE")
            same = found == (value if value == "max" else str(int(value) // page * page))
        else:
            same = found == value.strip()
        if not same:
            return False
    return True


def memory_limit_error(container: str, limit: int, used: int) -> tuple[str, str]:
    """Return message and hint for a memory limit below the memory in use, both in bytes."""
    return (
        f"{container}: memory cannot be limited to {limit} bytes because its processes use {used} bytes",
        "set memory to more than that, or stop the container first",
    )


def _settings(cgroup: Cgroup, limits: CgroupLimits, most_pids: int = 0) -> list[_Setting]:
    """Return the control files in the order in which they are written."""
    memory, swap, pids = limits.memory, limits.swap, limits.pids
    quota = round(limits.cpus * _CPU_PERIOD)
    found = []
    for controller, v1_file, v1_value, v2_file, v2_value, is_limit in (
        (
            "memory",
            "memory.limit_in_bytes",
            str(memory or _V1_UNLIMITED_MEMORY),
            "memory.max",
            str(memory or "max"),
            memory > 0,
        ),
        ("cpu", "cpu.cfs_quota_us", str(quota or -1), "cpu.max", f"{quota or 'max'} {_CPU_PERIOD}", quota > 0),
        ("pids", "pids.max", str(pids or "max"), "pids.max", str(pids or "max"), pids not in (0, most_pids)),
        # Version 1 limits the sum of memory and swap, version 2 swap alone.
        (
            "memory",
            "memory.memsw.limit_in_bytes",
            str(memory + swap if memory and swap >= 0 else _V1_UNLIMITED_MEMORY),
            "memory.swap.max",
            str(swap if swap >= 0 else "max"),
            swap > 0,
        ),
    ):
        path, in_v1 = cgroup.control_file(controller, v1_file, v2_file)
        found.append(_Setting(path, v1_value if in_v1 else v2_value, is_limit))
    path, value = cpuset.setting(cgroup, limits.cpuset)
    return [*found, _Setting(path, value, bool(limits.cpuset))]


def _refused(cgroup: Cgroup, path: str, value: str, error: OSError) -> EffectFailed:
    container, file = os.path.basename(cgroup.path), os.path.basename(path)
    if file.startswith("memory.") and error.errno == errno.EBUSY:
        return EffectFailed(*memory_limit_error(container, int(value), cgroup.usage()["memory"] or 0))
    return EffectFailed(f"{container}: the kernel refused the limit {value!r} in {path} ({error.strerror})")


def _lift(path: str, before: list[tuple[str, str]]) -> None:
    if os.path.exists(path):
        before.append((path, read_control_file(path).strip()))
        write_control_file(path, str(_V1_UNLIMITED_MEMORY))


def _unlimited(path: str, value: str) -> str:
    """Return the text that restores a value that the kernel has shown: version 1 shows "no limit" as a number."""
    if path.endswith("limit_in_bytes") and int(value) >= 1 << 62:
        return str(_V1_UNLIMITED_MEMORY)
    return value or "\n"
