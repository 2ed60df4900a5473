# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource limits of a container's processes, and whether this host can set them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .._engine.cpu_list import parse_cpus, show_cpus
from .._errors import HostNotCapable
from .._kernel import cpuset, rlimits
from .._kernel.cgroup import Cgroup
from .._kernel.cgroup_limits import CgroupLimits, has_limits, set_limits
from .spec.container import DEFAULT_PIDS, ContainerSpec
from .spec.ulimits import UNLIMITED, Ulimit

# nofile: as in systemd since 240 and docker since 25; safe for programs that use select(2), and others can raise it.
# core: 1 byte, with which the kernel neither dumps nor runs the pipe of kernel.core_pattern (fs/coredump.c; with 0 it
# does), which would be root on the host with input from the container. Processes inside cannot raise it.
_DEFAULTS = {"nofile": (1024, 524288), "core": (1, 1)}


def raise_limits(ulimits: Iterable[Ulimit]) -> rlimits.Limits:
    """Raise hard limits as far as a container with `ulimits` needs, which requires root on the host.

    Returns all limits to set, which do not depend on the caller: those of the first process of a machine, overridden by
    `ulimits`. Raises HostNotCapable if one of `ulimits` cannot be set; the others are as high as the host allows.
    """
    asked = _asked(ulimits)
    _check(asked)
    limits = {**rlimits.first_process_limits(), **_DEFAULTS, **asked}
    rlimits.raise_hard_limits(limits)
    return limits


def set_cgroup_limits(cgroup: Cgroup, spec: ContainerSpec) -> None:
    """Set the limits of the container as a whole. Raises HostNotCapable, EffectFailed."""
    set_limits(cgroup, _cgroup_limits(spec), DEFAULT_PIDS)


def has_cgroup_limits(cgroup: Cgroup, spec: ContainerSpec) -> bool:
    """Whether the limits of `spec` are in force."""
    return has_limits(cgroup, _cgroup_limits(spec))


def _cgroup_limits(spec: ContainerSpec) -> CgroupLimits:
    return CgroupLimits(spec.memory, spec.cpus, spec.pids, spec.swap, spec.cpuset)


def check_limits(spec: ContainerSpec) -> None:
    """Check that this host can set the requested limits. Changes nothing. Raises HostNotCapable if it cannot."""
    _check(_asked(spec.ulimits))
    check_cpuset(spec)
    if not rlimits.can_set_oom_score(spec.oom_score_adj):
        raise HostNotCapable(*rlimits.oom_score_error(spec.oom_score_adj))


def check_cpuset(spec: ContainerSpec) -> None:
    """Check that this host has the CPUs of the set. Changes nothing. Raises HostNotCapable if it has not."""
    if not spec.cpuset:
        return
    missing = parse_cpus(spec.cpuset, "cpuset") - parse_cpus(cpuset.online(), "cpuset")
    if missing:
        raise HostNotCapable(
            f"cpuset: this host has no CPU {show_cpus(missing)}",
            f"choose from {cpuset.online()}",
        )


def _asked(ulimits: Iterable[Ulimit]) -> dict[str, tuple[int, int]]:
    return {limit.name: (limit.soft, limit.hard) for limit in ulimits}


def _check(asked: rlimits.Limits) -> None:
    for name, wanted, most in rlimits.unraisable_limits(asked):
        shown = "unlimited" if wanted == UNLIMITED else wanted
        raise HostNotCapable(
            f"ulimits: hard limit {shown} of {name} exceeds {most}, which root on this host cannot raise",
            "set a lower limit, or give root the capability SYS_RESOURCE"
            + (" and raise the sysctl fs.nr_open" if name == "nofile" else ""),
        )


def cpu_warnings(name: str, cpus: float) -> list[str]:
    """Return a warning if container `name` is allowed more CPUs than the host has."""
    present = os.cpu_count() or 1
    if cpus <= present:
        return []
    return [f"container {name}: cpus: {cpus:g} has no effect, since the host has {present}"]
