# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource limits of processes by the names of getrlimit(2), and oom_score_adj (proc(5)).

A limit is a pair of soft and hard limit in the kernel's unit; -1 means unlimited.
"""

from __future__ import annotations

import contextlib
import errno
import resource
from collections.abc import Iterator, Mapping

from .._errors import HostNotCapable
from . import syscalls

Limits = Mapping[str, "tuple[int, int]"]

_UNLIMITED = -1
_CAP_SYS_RESOURCE = 1 << 24
# The kernel also counts these for a whole user namespace, against the limits of its creator (user_namespaces(7);
# kernel/user_namespace.c, set_userns_rlimit_max). That of nproc is infinite if root created the namespace.
_OF_NAMESPACES = ("memlock", "msgqueue", "sigpending")


def first_process_limits() -> dict[str, tuple[int, int]]:
    """Return the limits that the kernel gives the first process of a machine.

    Sources: include/asm-generic/resource.h, kernel/fork.c.
    """
    with open("/proc/sys/kernel/threads-max", encoding="ascii") as file:
        half = int(file.read()) // 2
    unlimited = (_UNLIMITED, _UNLIMITED)
    return {
        **dict.fromkeys(("as", "cpu", "data", "fsize", "rss", "rttime"), unlimited),
        **dict.fromkeys(("nproc", "sigpending"), (half, half)),
        **dict.fromkeys(("nice", "rtprio"), (0, 0)),
        "core": (0, _UNLIMITED),
        "memlock": (8 << 20, 8 << 20),
        "msgqueue": (819200, 819200),
        "nofile": (1024, 4096),
        "stack": (8 << 20, _UNLIMITED),
    }


def unraisable_limits(limits: Limits) -> list[tuple[str, int, int]]:
    """Return (name, requested hard limit, highest allowed hard limit) of each limit that this process cannot raise.

    Changes nothing.
    """
    above = [(name, hard, _get(name)[1]) for name, (_, hard) in limits.items() if _above(hard, _get(name)[1])]
    if not above or not syscalls.permitted_capabilities() & _CAP_SYS_RESOURCE:
        return above
    # nr_open limits nofile even with CAP_SYS_RESOURCE (kernel/sys.c, do_prlimit).
    with open("/proc/sys/fs/nr_open", encoding="ascii") as file:
        most = int(file.read())
    return [(name, hard, most) for name, hard, _ in above if name == "nofile" and _above(hard, most)]


def raise_hard_limits(limits: Limits) -> None:
    """Raise each hard limit that is lower than in `limits`, if this process may."""
    for name, (_, hard) in limits.items():
        soft, present = _get(name)
        if _above(hard, present):
            with contextlib.suppress(ValueError):
                resource.setrlimit(_number(name), (soft, hard))


def set_limits(limits: Limits) -> None:
    """Set `limits`, but do not raise hard limits, so that no capability is needed."""
    for name, (soft, hard) in limits.items():
        present = _get(name)[1]
        most = present if _above(hard, present) else hard
        resource.setrlimit(_number(name), (most if _above(soft, most) else soft, most))


@contextlib.contextmanager
def unlimited_for_namespaces() -> Iterator[None]:
    """Remove for the block the limits that a user namespace created in it would keep for its whole life."""
    before = {name: _get(name) for name in _OF_NAMESPACES}
    raise_hard_limits(dict.fromkeys(_OF_NAMESPACES, (_UNLIMITED, _UNLIMITED)))
    set_limits(dict.fromkeys(_OF_NAMESPACES, (_UNLIMITED, _UNLIMITED)))
    try:
        yield
    finally:
        for name, limits in before.items():
            resource.setrlimit(_number(name), limits)


def can_set_oom_score(score: int) -> bool:
    """Return whether this process may set oom_score_adj to `score`. Changes nothing.

    A score below 0 requires CAP_SYS_RESOURCE, unless the present score is as low.
    """
    if score >= 0:
        return True
    with open("/proc/self/oom_score_adj", encoding="ascii") as file:
        present = int(file.read())
    return score >= present or bool(syscalls.permitted_capabilities() & _CAP_SYS_RESOURCE)


def set_oom_score(score: int) -> None:
    """Set oom_score_adj of the caller, which children inherit. Raises HostNotCapable."""
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(score))
    except OSError as error:
        if error.errno != errno.EACCES:
            raise
        # 0 is the default and means: keep the inherited score.
        if score:
            raise HostNotCapable(*oom_score_error(score)) from None


def oom_score_error(score: int) -> tuple[str, str]:
    """Return message and hint if that score is not allowed."""
    return (
        f"oom_score_adj cannot be {score}: root of this host lacks the capability SYS_RESOURCE",
        "use 0 or more, or give root that capability",
    )


def _get(name: str) -> tuple[int, int]:
    return resource.getrlimit(_number(name))


def _number(name: str) -> int:
    return getattr(resource, f"RLIMIT_{name.upper()}")


def _above(value: int, limit: int) -> bool:
    """Return whether `value` is greater than `limit`."""
    return limit != _UNLIMITED and (value == _UNLIMITED or value > limit)
