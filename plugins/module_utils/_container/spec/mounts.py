# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of a container besides its root: bind mounts of the host and tmpfs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ..._engine.option import Option
from ..._engine.sizes import parse_size
from ..._engine.typed_values import boolean, integer, object_with, one_of, text
from ..._errors import InvalidInput

# The container's view of the kernel: a mount on them would hide or undo the isolation.
_RESERVED = ("/proc", "/sys", "/dev")
# The exception, for containers whose root is root on the host with all capabilities.
_SYSCTLS = "/proc/sys"
# As docker's --tmpfs: everybody may create files, and nobody remove those of others.
TMPFS_MODE = 0o1777
# Values of the option propagation.
PRIVATE, SLAVE, SHARED = "private", "slave", "shared"

MOUNT_OPTIONS = {
    "type": Option(
        "str", ("V(bind) shows a file or directory of the host. V(tmpfs) is an empty file system in memory.",),
        choices=("bind", "tmpfs"), default="bind",
    ),
    "source": Option("str", ("Absolute path of the host's file or directory, without symlinks. Only for V(bind).",)),
    "target": Option(
        "str",
        (
            "Absolute path inside. A missing directory or file is created.",
            "Symlinks of the container's root file system, as of a merged C(/usr), are followed within it. Symlinks in "
            "another mount are refused.",
        ),
        required=True,
    ),
    "read_only": Option("bool", ("Whether the mount is read-only.",), default=False),
    "mode": Option("str", ("Access rights of a V(tmpfs), like V('0750'). Defaults to V('1777').",)),
    "idmap": Option(
        "bool",
        (
            "Whether ids inside stand for the same ids on the host, in this mount. Only for V(bind).",
            "With V(false), files of the host's users belong to C(nobody) inside, and files written there belong to "
            "the container's range of ids on the host.",
            "Defaults to V(true).",
        ),
    ),
    "propagation": Option(
        "str",
        (
            "Whether file systems that the host mounts or unmounts below O(mounts[].source) later are mounted and "
            "unmounted inside, too. Only for V(bind).",
            "With V(private) they are not. With V(slave) they are, by the host's own options: without the container's "
            "range of ids, and writable, even if O(mounts[].read_only=true). With V(shared) what is mounted there "
            "inside appears on the host, too, which requires O(userns=host) and the capability C(SYS_ADMIN).",
            "Both require that the host's mount is shared, as systemd makes all of them. They are C(rslave) and "
            "C(rshared) of C(docker run).",
            "Defaults to V(private).",
        ),
        choices=(PRIVATE, SLAVE, SHARED),
    ),
    "size": Option("str", ("Maximum size of a V(tmpfs), like V(64m). Defaults to half of the host's memory.",)),
}  # fmt: skip
MOUNT_KIND = object_with(
    {
        "type": one_of("bind", "tmpfs"), "target": text, "source": text, "read_only": boolean, "size": integer(0),
        "idmap": boolean, "mode": integer(0, 0o7777), "propagation": one_of(PRIVATE, SLAVE, SHARED),
    },
    ("type", "target"),
)  # fmt: skip


@dataclass(frozen=True)
class Mount:
    """One mount. `source`: path on the host; `idmap`: ids inside stand for the same ids on the host, `propagation`:
    PRIVATE, SLAVE or SHARED (bind only); `size`: bytes, 0 for the kernel's default, `mode`: access rights of its root
    directory (tmpfs only).
    """

    type: str
    target: str
    source: str = ""
    read_only: bool = False
    size: int = 0
    idmap: bool = True
    mode: int = TMPFS_MODE
    propagation: str = PRIVATE

    @classmethod
    def parse(cls, value: dict[str, Any]) -> Mount:
        """The mount for a value of the option mounts. Raises InvalidInput."""
        sysctl = _sysctl(value)
        target = sysctl or parse_target(value.get("target"))
        kind = value.get("type") or "bind"
        source, size = value.get("source"), value.get("size")
        if kind == "bind":
            for name in ("size", "mode"):
                if value.get(name) is not None:
                    problem = f"mounts: {name} requires type: tmpfs, and {target} is a bind mount"
                    raise InvalidInput(problem, f"leave out {name}")
            path = parse_path(source, f"mounts: source of {target}")
            idmap, propagation = value.get("idmap") is not False, value.get("propagation") or PRIVATE
            return cls("bind", target, path, bool(value.get("read_only")), idmap=idmap, propagation=propagation)
        for name in ("source", "idmap", "propagation"):
            if value.get(name) is not None:
                problem = f"mounts: {name} requires type: bind, and {target} is a tmpfs"
                raise InvalidInput(problem, f"leave out {name}")
        bytes_ = parse_size(size, f"mounts: size of {target}") if size is not None else 0
        mode = _parse_mode(value.get("mode"), target)
        return cls("tmpfs", target, read_only=bool(value.get("read_only")), size=bytes_, mode=mode)

    @property
    def is_sysctl(self) -> bool:
        """Whether the mount shows settings of the host's kernel."""
        return self.target == _SYSCTLS or self.target.startswith(f"{_SYSCTLS}/")


def _parse_mode(value: object, target: str) -> int:
    """Access rights in octal digits. A number of YAML would be read as decimal, or not, by its leading zero."""
    if value is None:
        return TMPFS_MODE
    if not isinstance(value, str) or not re.fullmatch(r"[0-7]{3,4}", value):
        raise InvalidInput(
            f"mounts: mode {value!r} of {target} is not a mode", 'quote it, as octal digits: mode: "0750"'
        )
    return int(value, 8)


def _sysctl(value: dict[str, Any]) -> str:
    """The path of a bind mount of /proc/sys, or of a path in it, on itself; "" for other mounts."""
    target, source = value.get("target"), value.get("source")
    plain = isinstance(target, str) and target == source and (target + "/").startswith(f"{_SYSCTLS}/")
    return parse_path(target, "mounts: target") if plain and value.get("type", "bind") == "bind" else ""


def parse_mounts(values: list[dict[str, Any]]) -> tuple[Mount, ...]:
    """Mounts in the order in which they are made: parents before children. Raises InvalidInput."""
    mounts = [Mount.parse(value) for value in values]
    for target, count in Counter(mount.target for mount in mounts).items():
        if count > 1:
            raise InvalidInput(f"mounts: {target} is the target of more than one mount", "leave out all but one")
    return tuple(sorted(mounts, key=lambda mount: mount.target.split("/")))


def parse_path(value: object, option: str) -> str:
    """An absolute path in plain form: no '.', '..' or empty component, no NUL. Raises InvalidInput."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise InvalidInput(f"{option} {value!r} is not an absolute path", "give a path that begins with /")
    parts = [part for part in value.split("/") if part]
    if "." in parts or ".." in parts:
        raise InvalidInput(f"{option} {value!r} has a '.' or '..' in it", "give the path without it")
    return "/" + "/".join(parts)


def parse_target(value: object) -> str:
    """Path of a mount target inside the container. Raises InvalidInput."""
    path = parse_path(value, "mounts: target")
    if path == "/":
        raise InvalidInput("mounts: target / is the container's root", "choose a directory below it")
    for reserved in _RESERVED:
        if path == reserved or path.startswith(reserved + "/"):
            raise InvalidInput(
                f"mounts: target {path} is in {reserved}, which conductor mounts itself", "choose another target"
            )
    return path
