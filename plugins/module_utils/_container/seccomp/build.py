# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile a profile into the programs that the kernel runs. Imported only if a filter is not in the cache."""

from __future__ import annotations

import ctypes
import errno

from ..._errors import InvalidInput
from ..._kernel.seccomp import libseccomp
from ..._kernel.seccomp.load_filter import INSTRUCTION, MOST_INSTRUCTIONS
from ..._kernel.seccomp.unknown_calls import refuse_unknown
from ..spec.seccomp import ERRNO, PERMITTED, UNCHANGED, Changes, ResolvedProfile, resolve
from .parse_profile import parse_profile


def build(
    text: bytes,
    path: str,
    bounding: frozenset[str],
    machine: str,
    kernel: tuple[int, int],
    changes: Changes = UNCHANGED,
) -> tuple[bytes, ...]:
    """Programs in load order, for a container with the capabilities `bounding` on a host of that machine and kernel.

    `path` is for messages. Raises InvalidInput, HostNotCapable.
    """
    resolved = resolve(parse_profile(text, path), bounding, machine, kernel, changes)
    lib = libseccomp.load_library()
    with libseccomp.Filter(lib, resolved.default, resolved.architectures) as profile:
        for rule in resolved.rules:
            for name in rule.names:
                known = profile.add(name, rule.action, rule.comparisons)
                # In a list of allowed calls, docker's for instance, the names of newer calls are harmless.
                if not known and resolved.default in PERMITTED and rule.action not in PERMITTED:
                    raise InvalidInput(
                        f"seccomp: {path} denies {name!r}, a system call that libseccomp of this host does not know "
                        "and would allow",
                        "correct the name or remove it from the profile, or update libseccomp2",
                    )
        programs = [profile.export()]
        if resolved.default & 0xFFFF0000 == ERRNO and resolved.default != ERRNO | errno.ENOSYS:
            programs.append(_unknown(lib, resolved, profile.tokens))
    for program in programs:
        if not 0 < len(program) <= MOST_INSTRUCTIONS * INSTRUCTION:
            raise InvalidInput(
                f"seccomp: {path} results in {len(program) // INSTRUCTION} instructions, and the kernel allows "
                f"{MOST_INSTRUCTIONS}",
                "write fewer rules",
            )
    return tuple(programs)


def _unknown(lib: ctypes.CDLL, resolved: ResolvedProfile, tokens: list[int]) -> bytes:
    """A program that returns ENOSYS for calls newer than the profile; for all others the profile decides.

    After ENOSYS, programs fall back to an older call; after EPERM they fail. runc does the same with instructions
    before those of libseccomp (libcontainer/seccomp/patchbpf).
    """
    names = {name for token in tokens for name in libseccomp.calls_up_to_newest(lib, token, resolved.names)}
    known: dict[int, set[int]] = {}
    for token in tokens:
        known.setdefault(libseccomp.audit_architecture(token), set()).update(libseccomp.numbers(lib, token, names))
    return refuse_unknown(known, ERRNO | errno.ENOSYS)
