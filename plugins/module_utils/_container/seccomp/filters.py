# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters for system calls, each built once and kept in a file, so that a start only reads it."""

from __future__ import annotations

import hashlib
import os
import struct
from typing import NamedTuple

from ..._engine.paths import LIBRARY_DIR
from ..._errors import Conflict, InvalidInput
from ..._kernel.files.atomic_write import write_atomic
from ..._kernel.seccomp.load_filter import library_file
from ..spec.container import ContainerSpec
from ..spec.seccomp import DEFAULT, UNCONFINED

# Of the way in which a filter is made from a profile, and of the file: a new one makes new files.
_FORMAT = 2
_LARGEST_PROFILE = 1 << 20
_DIGEST = 32


class SeccompFilter(NamedTuple):
    """A filter's file, and the programs in it in the order to load them. "" and none where there is no filter."""

    path: str = ""
    programs: tuple[bytes, ...] = ()


def filter_for(spec: ContainerSpec) -> SeccompFilter:
    """The filter for a container, built and written unless it is there.

    Raises InvalidInput for a profile that is wrong, HostNotCapable where libseccomp is missing.
    """
    text = _profile(spec)
    return SeccompFilter() if text is None else _have(text, spec.seccomp, spec.bounding)


def default_filter(bounding: frozenset[str]) -> SeccompFilter:
    """The default filter for processes with at most the capabilities `bounding`. Raises HostNotCapable."""
    return _have(_default(), DEFAULT, bounding)


def check(spec: ContainerSpec) -> None:
    """Raises what `filter_for` would, and writes nothing."""
    text = _profile(spec)
    if text is not None and _read(_path(text, spec.bounding)) is None:
        _build(text, spec.seccomp, spec.bounding)


def filter_at(path: str, spec: ContainerSpec) -> SeccompFilter:
    """The filter that a running container was started with, by the path in its run state.

    Raises Conflict where it is lost, and the profile has changed since.
    """
    if not path:
        return SeccompFilter()
    programs = _read(path)
    if programs is not None:
        return SeccompFilter(path, programs)
    again = filter_for(spec)
    if again.path != path:
        raise Conflict(
            f"the filter for system calls that container {spec.name} was started with is gone ({path})",
            "restart the container: state=stopped, then state=started",
        )
    return again


def _have(text: bytes, shown: str, bounding: frozenset[str]) -> SeccompFilter:
    path = _path(text, bounding)
    programs = _read(path)
    if programs is None:
        programs = _build(text, shown, bounding)
        os.makedirs(LIBRARY_DIR, mode=0o755, exist_ok=True)
        write_atomic(path, _packed(programs))
    return SeccompFilter(path, programs)


def _build(text: bytes, shown: str, bounding: frozenset[str]) -> tuple[bytes, ...]:
    # Imported here, for nearly every start finds its filter built.
    from .build import build

    return build(text, shown, bounding, *_host())


def _profile(spec: ContainerSpec) -> bytes | None:
    """The profile's text; None for no filter. As with docker, the default one is not for a privileged container."""
    path = spec.seccomp
    if path == UNCONFINED or (path == DEFAULT and spec.privileged):
        return None
    if path == DEFAULT:
        return _default()
    try:
        with open(path, "rb") as file:
            text = file.read(_LARGEST_PROFILE + 1)
    except OSError as error:
        raise InvalidInput(
            f"seccomp: {path}: {error.strerror}", "the profile must be a file on the managed host"
        ) from None
    if len(text) > _LARGEST_PROFILE:
        raise InvalidInput(f"seccomp: {path} is larger than 1 MiB", "a profile is a JSON file of some KiB")
    return text


def _default() -> bytes:
    from .default_profile import PROFILE

    return PROFILE.encode()


def _path(text: bytes, bounding: frozenset[str]) -> str:
    """The file's name tells all that the filter depends on, as far as that can be known without parsing anything."""
    machine, kernel = _host()
    depends_on = (
        _FORMAT,
        text,
        sorted(cap for cap in bounding if f'"CAP_{cap}"'.encode() in text),
        machine,
        kernel if b"minKernel" in text else (),
        os.path.basename(library_file()),
    )
    return os.path.join(LIBRARY_DIR, f"seccomp-{hashlib.sha256(repr(depends_on).encode()).hexdigest()[:24]}.bpf")


def _host() -> tuple[str, tuple[int, int]]:
    """The machine as uname(2) calls it, and the first two numbers of the kernel's version."""
    uname = os.uname()
    major, minor = uname.release.split("-")[0].split("+")[0].split(".")[:2]
    return uname.machine, (int(major), int(minor))


def _packed(programs: tuple[bytes, ...]) -> bytes:
    body = b"".join(struct.pack("<I", len(program)) + program for program in programs)
    return hashlib.sha256(body).digest() + body


def _read(path: str) -> tuple[bytes, ...] | None:
    """The programs in a file; None where it is not there, or not as it was written."""
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
