# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seccomp profiles in docker's format, and their rules for one container on one host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..._errors import InvalidInput
from .mounts import parse_path

DEFAULT, UNCONFINED = "default", "unconfined"

# Return values of seccomp(2). The low half of ERRNO is the error number.
ALLOW, LOG, ERRNO = 0x7FFF0000, 0x7FFC0000, 0x00050000
PERMITTED = (ALLOW, LOG)
# Machine of uname(2): docker's name, as in `arches` of a rule, and libseccomp's.
_MACHINES = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    **dict.fromkeys(("i386", "i486", "i586", "i686"), ("x86", "SCMP_ARCH_X86")),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
    **dict.fromkeys(("armv6l", "armv7l", "armv8l"), ("arm", "SCMP_ARCH_ARM")),
    "loongarch64": ("loongarch64", "SCMP_ARCH_LOONGARCH64"),
    "ppc64le": ("ppc64le", "SCMP_ARCH_PPC64LE"),
    "riscv64": ("riscv64", "SCMP_ARCH_RISCV64"),
    "s390x": ("s390x", "SCMP_ARCH_S390X"),
}
# Calls that the default filter allows a machine in addition. pivot_root(2) changes a mount namespace in which the
# caller may mount; bubblewrap, snapd and container runtimes need it. personality(2) is about the caller only;
# debuggers, sanitizers and `setarch -R` switch off random addresses.
_ALLOWED = frozenset({"personality", "pivot_root"})
# Calls of the default profile that a machine's capabilities would allow, and the capability that is asked for to have
# them nevertheless.
_REFUSED = {
    "bpf": "BPF",
    "lookup_dcookie": "SYS_ADMIN",
    "open_by_handle_at": "DAC_READ_SEARCH",
    "perf_event_open": "PERFMON",
    "quotactl": "SYS_ADMIN",
    "quotactl_fd": "SYS_ADMIN",
    "syslog": "SYSLOG",
}


@dataclass(frozen=True)
class Condition:
    """Condition of a rule: each part that is given must be true in `includes`, and false in `excludes`."""

    caps: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()
    min_kernel: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Rule:
    """Action for some system calls: a return value of seccomp(2).

    `comparisons`: index of an argument, operator of libseccomp, and its two values; all must be true.
    """

    names: tuple[str, ...]
    action: int
    comparisons: tuple[tuple[int, int, int, int], ...]
    includes: Condition
    excludes: Condition


@dataclass(frozen=True)
class Profile:
    """A profile. `architectures` are pairs: the host's architecture ("" for any), and the filter's architectures."""

    default: int
    architectures: tuple[tuple[str, tuple[str, ...]], ...]
    rules: tuple[Rule, ...]


class Changes(NamedTuple):
    """Changes of a profile: calls for which none of its rules apply, and calls that are allowed in addition."""

    refused: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()


UNCHANGED = Changes()


@dataclass(frozen=True)
class ResolvedProfile:
    """The part of a profile for one container on one host. `names` are the names of all system calls in the profile."""

    default: int
    architectures: tuple[str, ...]
    rules: tuple[Rule, ...]
    names: frozenset[str]


def parse_seccomp(value: object, option: str) -> str:
    """default, unconfined, or the absolute path of a profile. Raises InvalidInput."""
    if value in (DEFAULT, UNCONFINED):
        return value
    try:
        return parse_path(value, option)
    except InvalidInput:
        raise InvalidInput(
            f"{option} {value!r} is neither default nor unconfined nor a path",
            "give the absolute path of a profile on the managed host",
        ) from None


def changes_for_machine(add: Iterable[str]) -> Changes:
    """How the default filter of a machine differs from the profile. `add` are its additional capabilities.

    It refuses calls for which a machine has the capabilities, unless `add` has them: outside of the first user
    namespace the kernel allows them to nobody, or to everybody by a setting of the host.
    """
    refused = frozenset(call for call, ours in _REFUSED.items() if not {"ALL", "SYS_ADMIN", ours} & set(add))
    return Changes(refused, _ALLOWED)


def resolve(
    profile: Profile,
    bounding: frozenset[str],
    machine: str,
    kernel: tuple[int, int],
    changes: Changes = UNCHANGED,
) -> ResolvedProfile:
    """The rules for a container with the capabilities `bounding` (names without CAP_) on that machine and kernel.

    As in docker's setupSeccomp (github.com/moby/profiles, seccomp_linux.go).
    """
    arch, native = _MACHINES.get(machine, ("", ""))

    def matches(rule: Rule) -> bool:
        ex, inc = rule.excludes, rule.includes
        if arch in ex.arches or bounding & set(ex.caps) or (ex.min_kernel != (0, 0) and kernel >= ex.min_kernel):
            return False
        return (not inc.arches or arch in inc.arches) and set(inc.caps) <= bounding and kernel >= inc.min_kernel

    def without_refused(rule: Rule) -> Rule:
        return replace(rule, names=tuple(name for name in rule.names if name not in changes.refused))

    found = dict(profile.architectures)
    rules = [rule for rule in map(without_refused, profile.rules) if rule.names and matches(rule)]
    if changes.allowed:
        rules.append(Rule(tuple(sorted(changes.allowed)), ALLOW, (), Condition(), Condition()))
    return ResolvedProfile(
        profile.default,
        found.get("") or found.get(native) or (),
        tuple(rules),
        changes.allowed.union(*(rule.names for rule in profile.rules)),
    )
