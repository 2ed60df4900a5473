# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is mounted into a container besides its root: bind mounts of the host and tmpfs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..._engine.sizes import parse_size
from ..._errors import InvalidInput

# These are the container's own view of the kernel: a mount over them would hide or undo the isolation.
_RESERVED = ("/proc", "/sys", "/dev")
# But for this: with all rights over the host, its settings may be named.
_SYSCTLS = "/proc/sys"


@dataclass(frozen=True)
class Mount:
    """One mount. `source`: path of the host; `idmap`: whether ids inside stand for the same ids there (bind only);
    `size`: bytes, 0 for the kernel's default (tmpfs only).
    """

    type: str
    target: str
    source: str = ""
    read_only: bool = False
    size: int = 0
    idmap: bool = True

    @classmethod
    def parse(cls, value: dict[str, Any]) -> Mount:
        """Raises InvalidInput."""
        sysctl = _sysctl(value)
        target = sysctl or parse_target(value.get("target"))
        kind = value.get("type") or "bind"
        source, size = value.get("source"), value.get("size")
        if kind == "bind":
            if size is not None:
                raise InvalidInput(f"mounts: size is for tmpfs, and {target} is a bind mount")
            path = parse_path(source, f"mounts: source of {target}")
            return cls("bind", target, path, bool(value.get("read_only")), idmap=value.get("idmap") is not False)
        if source is not None:
            raise InvalidInput(f"mounts: source is for bind mounts, and {target} is a tmpfs")
        if value.get("idmap") is not None:
            raise InvalidInput(f"mounts: idmap is for bind mounts, and {target} is a tmpfs")
        bytes_ = parse_size(size, f"mounts: size of {target}") if size is not None else 0
        return cls("tmpfs", target, read_only=bool(value.get("read_only")), size=bytes_)

    @property
    def is_sysctl(self) -> bool:
        """Whether it shows settings of the host's kernel."""
        return self.target == _SYSCTLS or self.target.startswith(f"{_SYSCTLS}/")


def _sysctl(value: dict[str, Any]) -> str:
    """The path where a mount shows /proc/sys, or something in it, in its own place; else ""."""
    target, source = value.get("target"), value.get("source")
    plain = isinstance(target, str) and target == source and (target + "/").startswith(f"{_SYSCTLS}/")
    return parse_path(target, "mounts: target") if plain and value.get("type", "bind") == "bind" else ""


def parse_mounts(values: list[dict[str, Any]]) -> tuple[Mount, ...]:
    """Mounts in the order in which they are made: a parent before what lies below it. Raises InvalidInput."""
    mounts = [Mount.parse(value) for value in values]
    targets = [mount.target for mount in mounts]
    for target in targets:
        if targets.count(target) > 1:
            raise InvalidInput(f"mounts: {target} is the target of more than one mount")
    return tuple(sorted(mounts, key=lambda mount: mount.target.split("/")))


def parse_path(value: object, option: str) -> str:
    """An absolute path in plain form: no '.', '..' or empty component, no NUL. Raises InvalidInput."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise InvalidInput(f"{option} {value!r} is not an absolute path")
    parts = [part for part in value.split("/") if part]
    if "." in parts or ".." in parts:
        raise InvalidInput(f"{option} {value!r} has a '.' or '..' in it", "name the directory itself")
    return "/" + "/".join(parts)


def parse_target(value: object) -> str:
    """Where a mount goes, as the container sees it. Raises InvalidInput."""
    path = parse_path(value, "mounts: target")
    if path == "/":
        raise InvalidInput("mounts: target / is the container's root itself", "mount on a directory below it")
    for reserved in _RESERVED:
        if path == reserved or path.startswith(reserved + "/"):
            raise InvalidInput(f"mounts: target {path} lies in {reserved}, which conductor makes itself")
    return path
