# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Seccomp filters, each compiled once and cached in a file, so that a start only reads it."""

from __future__ import annotations

import functools
import hashlib
import os
import struct
from typing import NamedTuple

from ..._engine.paths import LIBRARY_DIR
from ..._errors import Conflict, InvalidInput, mark_pending
from ..._kernel.files.atomic_write import write_atomic
from ..._kernel.seccomp.load_filter import library_file
from ..spec.container import ContainerSpec
from ..spec.seccomp import DEFAULT, UNCHANGED, UNCONFINED, Changes, changes_for_machine

# Version of the compiler and of the file format. A new value makes new files.
_FORMAT = 4
_LARGEST_PROFILE = 1 << 20
_DIGEST = 32


class SeccompFilter(NamedTuple):
    """A filter's file and its programs in load order; empty for no filter."""

    path: str = ""
    programs: tuple[bytes, ...] = ()


def filter_for(spec: ContainerSpec) -> SeccompFilter:
    """The filter for a container, compiled and cached if it is missing.

    Raises InvalidInput if the profile is invalid, HostNotCapable if libseccomp is missing.
    """
    text = _profile(spec)
    return SeccompFilter() if text is None else _load_or_build(text, spec.seccomp, spec.bounding, _changes(spec))


def default_filter(bounding: frozenset[str]) -> SeccompFilter:
    """The default filter for processes with at most the capabilities `bounding`. Raises HostNotCapable."""
    return _load_or_build(_default(), DEFAULT, bounding, UNCHANGED)


def check(spec: ContainerSpec) -> None:
    """Check the profile of `spec`. Writes nothing. Raises the errors of `filter_for`."""
    text = _profile(spec)
    if text is not None and _read(_path(text, spec.bounding, _changes(spec))) is None:
        _check_build(text, spec.seccomp, spec.bounding, _changes(spec))


def filter_at(path: str, spec: ContainerSpec) -> SeccompFilter:
    """The filter of a running container, by the path in its run state.

    Raises Conflict if the file is lost and the profile has changed since the start.
    """
    if not path:
        return SeccompFilter()
    programs = _read(path)
    if programs is not None:
        return SeccompFilter(path, programs)
    rebuilt = filter_for(spec)
    if rebuilt.path != path:
        raise Conflict(
            f"container {spec.name}: the seccomp filter that it was started with is lost ({path})",
            f"restart {spec.name} with state=restarted",
        )
    return rebuilt


def _changes(spec: ContainerSpec) -> Changes:
    is_default = spec.seccomp == DEFAULT and spec.is_machine
    return changes_for_machine(spec.capabilities_add) if is_default else UNCHANGED


def _load_or_build(text: bytes, shown: str, bounding: frozenset[str], changes: Changes) -> SeccompFilter:
    path = _path(text, bounding, changes)
    programs = _read(path)
    if programs is None:
        programs = _build(text, shown, bounding, changes)
        os.makedirs(LIBRARY_DIR, mode=0o755, exist_ok=True)
        write_atomic(path, _pack(programs))
    return SeccompFilter(path, programs)


@functools.lru_cache(maxsize=16)
def _check_build(text: bytes, shown: str, bounding: frozenset[str], changes: Changes) -> None:
    """Compile the filter for its errors, once for all containers of a run that have it."""
    _build(text, shown, bounding, changes)


def _build(text: bytes, shown: str, bounding: frozenset[str], changes: Changes) -> tuple[bytes, ...]:
    # Imported here, since nearly every start finds its filter in the cache.
    from .build import build

    return build(text, shown, bounding, *_host(), changes)


def _profile(spec: ContainerSpec) -> bytes | None:
    """Text of the profile; None for no filter. As in docker, privileged containers do not get the default profile."""
    path = spec.seccomp
    if path == UNCONFINED or (path == DEFAULT and spec.privileged):
        return None
    if path == DEFAULT:
        return _default()
    try:
        with open(path, "rb") as file:
            text = file.read(_LARGEST_PROFILE + 1)
    except OSError as error:
        unreadable = InvalidInput(
            f"seccomp: {path}: {error.strerror}", "give the path of a profile on the managed host"
        )
        raise mark_pending(unreadable) if isinstance(error, FileNotFoundError) else unreadable from None
    if len(text) > _LARGEST_PROFILE:
        raise InvalidInput(f"seccomp: {path} is larger than 1 MiB", "give the path of a profile in JSON format")
    return text


def _default() -> bytes:
    from .default_profile import PROFILE

    return PROFILE.encode()


def _path(text: bytes, bounding: frozenset[str], changes: Changes) -> str:
    """Path of the cached filter, named by a digest of all that the filter depends on. Does not parse the profile."""
    machine, kernel = _host()
    depends_on = (
        _FORMAT,
        text,
        sorted(cap for cap in bounding if f'"CAP_{cap}"'.encode() in text),
        *map(sorted, changes),
        machine,
        kernel if b"minKernel" in text else (),
        os.path.basename(library_file()),
    )
    return os.path.join(LIBRARY_DIR, f"seccomp-{hashlib.sha256(repr(depends_on).encode()).hexdigest()[:24]}.bpf")


def _host() -> tuple[str, tuple[int, int]]:
    """The machine (uname(2)) and the first two numbers of the kernel's version."""
    uname = os.uname()
    major, minor = uname.release.split("-")[0].split("+")[0].split(".")[:2]
    return uname.machine, (int(major), int(minor))


def _pack(programs: tuple[bytes, ...]) -> bytes:
    body = b"".join(struct.pack("<I", len(program)) + program for program in programs)
    return hashlib.sha256(body).digest() + body


def _read(path: str) -> tuple[bytes, ...] | None:
    """The programs in a file; None if it does not exist or its digest is wrong."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return None
    digest, body = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        return None
    programs, at = [], 0
    while at < len(body):
        (size,) = struct.unpack_from("<I", body, at)
        programs.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    return tuple(programs)
