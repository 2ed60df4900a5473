# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limits a container's processes start with, and whether this host can give them."""

from __future__ import annotations

from collections.abc import Iterable

from .._errors import HostNotCapable
from .._kernel import rlimits
from .._kernel.cgroup import Cgroup
from .spec.container import DEFAULT_PIDS, ContainerSpec
from .spec.ulimits import UNLIMITED, Ulimit

# Where a container is not given what the kernel gives. nofile: as systemd since 240 and docker since 25: programs with
# select(2) are safe, and others can raise it. core: 1 byte, with which the kernel writes no dump, and runs no program
# that kernel.core_pattern names either (fs/coredump.c; with 0 it would): that would be root of the host, reading what
# those inside prepared. They cannot raise it.
_OURS = {"nofile": (1024, 524288), "core": (1, 1)}


def raise_limits(ulimits: Iterable[Ulimit]) -> rlimits.Limits:
    """Raise hard limits as far as a container's with `ulimits` are to be, which is for who is root of the host.

    Returns all that are to be set, whoever starts it: those of the first process of a machine, and its own. Raises
    HostNotCapable where one of its own cannot be; another is as high as the host lets it be.
    """
    asked = _asked(ulimits)
    _check(asked)
    limits = {**rlimits.first_process_limits(), **_OURS, **asked}
    rlimits.raise_hard(limits)
    return limits


def set_cgroup_limits(cgroup: Cgroup, spec: ContainerSpec) -> None:
    """Set the limits of all processes together. Raises HostNotCapable, EffectFailed."""
    cgroup.set_limits(spec.memory, spec.cpus, spec.pids, spec.swap, DEFAULT_PIDS)


def has_cgroup_limits(cgroup: Cgroup, spec: ContainerSpec) -> bool:
    """Whether they are in force."""
    return cgroup.has_limits(spec.memory, spec.cpus, spec.pids, spec.swap)


def check_limits(spec: ContainerSpec) -> None:
    """Raises HostNotCapable where this host cannot give what was asked for. Changes nothing."""
    _check(_asked(spec.ulimits))
    if not rlimits.may_have_oom_score(spec.oom_score_adj):
        raise HostNotCapable(*rlimits.oom_score_refused(spec.oom_score_adj))


def _asked(ulimits: Iterable[Ulimit]) -> dict[str, tuple[int, int]]:
    return {limit.name: (limit.soft, limit.hard) for limit in ulimits}


def _check(asked: rlimits.Limits) -> None:
    for name, wanted, most in rlimits.not_raisable(asked):
        shown = "unlimited" if wanted == UNLIMITED else wanted
        raise HostNotCapable(
            f"ulimits: the hard limit of {name} cannot be {shown}: it is {most}, and this host's root may not raise it",
            "ask for less, or give it the capability SYS_RESOURCE"
            + (" and raise the sysctl fs.nr_open" if name == "nofile" else ""),
        )
