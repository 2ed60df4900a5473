# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a profile's text to the programs that the kernel runs. Imported only where a filter is not in its file yet."""

from __future__ import annotations

import ctypes
import errno

from ..._errors import InvalidInput
from ..._kernel.seccomp import libseccomp
from ..._kernel.seccomp.load_filter import INSTRUCTION, MOST_INSTRUCTIONS
from ..._kernel.seccomp.unknown_calls import refuse_unknown
from ..spec.seccomp import ERRNO, Resolved, resolve
from .parse_profile import parse_profile


def build(text: bytes, path: str, bounding: frozenset[str], machine: str, kernel: tuple[int, int]) -> tuple[bytes, ...]:
    """The programs in the order to load them, for a container with the capabilities `bounding` on that host.

    `path` is for messages. Raises InvalidInput, HostNotCapable.
    """
    resolved = resolve(parse_profile(text, path), bounding, machine, kernel)
    lib = libseccomp.load()
    with libseccomp.Filter(lib, resolved.default, resolved.architectures) as profile:
        for rule in resolved.rules:
            for name in rule.names:
                profile.add(name, rule.action, rule.comparisons)
        programs = [profile.export()]
        if resolved.default & 0xFFFF0000 == ERRNO and resolved.default != ERRNO | errno.ENOSYS:
            programs.append(_unknown(lib, resolved, profile.tokens))
    for program in programs:
        if not 0 < len(program) <= MOST_INSTRUCTIONS * INSTRUCTION:
            raise InvalidInput(
                f"seccomp: {path} makes a filter of {len(program) // INSTRUCTION} instructions",
                f"the kernel takes {MOST_INSTRUCTIONS}: write fewer rules",
            )
    return tuple(programs)


def _unknown(lib: ctypes.CDLL, resolved: Resolved, tokens: list[int]) -> bytes:
    """Answers ENOSYS to calls that are newer than the profile, and allows all others, on which the profile decides.

    A program that meets ENOSYS takes the older call; one that meets EPERM gives up. runc does the same, with
    instructions of its own before libseccomp's (libcontainer/seccomp/patchbpf).
    """
    names = {name for token in tokens for name in libseccomp.known_up_to_newest(lib, token, resolved.names)}
    known: dict[int, set[int]] = {}
    for token in tokens:
        known.setdefault(libseccomp.audit_architecture(token), set()).update(libseccomp.numbers(lib, token, names))
    return refuse_unknown(known, ERRNO | errno.ENOSYS)
