# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of a service: `volumes` in the short and the long syntax, and `tmpfs`.

https://github.com/compose-spec/compose-spec/blob/main/05-services.md#volumes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from ...._container.spec.mounts import PRIVATE, SHARED, SLAVE, Mount, parse_mounts
from .node import Node, Refused, each

_FIELDS = ("type", "source", "target", "read_only", "consistency", "bind", "tmpfs", "volume", "image")
# Options of a mount without an effect here: of SELinux, and of docker on other systems.
_NO_EFFECT = ("rw", "z", "Z", "cached", "delegated", "consistent")
# Options that each tmpfs of a container has.
_ANY_TMPFS = ("exec", "nosuid", "nodev")
# Values of propagation. Ours concern all mounts below the source, as those with an r of docker.
_PROPAGATION = {f"{prefix}{kind}": kind for kind in (PRIVATE, SLAVE, SHARED) for prefix in ("", "r")}


def parse_volumes(node: Node, directory: str | None, problems: list[Refused]) -> list[dict[str, Any]]:
    """Return `volumes` as the option mounts. `directory`: the one for relative paths, None if they are refused."""
    return each(node.entries(), lambda one: parse_volume(one, directory), problems)


def parse_volume(node: Node, directory: str | None) -> dict[str, Any]:
    """Return an entry of `volumes` as one of the option mounts."""
    return (_long_volume if isinstance(node.value, dict) else _short_volume)(node, directory)


def _short_volume(node: Node, directory: str | None) -> dict[str, Any]:
    """Return the mount of `SOURCE:TARGET[:OPTION,...]`."""
    parts = node.text().split(":")
    if len(parts) == 1 and parts[0]:
        raise _no_volume(node, f"{parts[0]} is an anonymous volume")
    if len(parts) > 3 or not all(parts):
        raise node.refused(f"{node.text()!r} is not SOURCE:TARGET", "write it like /srv/www:/var/www:ro")
    if parts[0][0] not in "./~":
        raise _no_volume(node, f"{parts[0]} is a named volume")
    options = parts[2].split(",") if len(parts) == 3 else []
    for option in options:
        if option not in ("ro", *_NO_EFFECT, *_PROPAGATION):
            raise node.refused(f"option {option!r} is not supported", "use only ro, rw, rslave and rshared")
    propagation = next((_PROPAGATION[option] for option in options if option in _PROPAGATION), PRIVATE)
    return _bind(node, parts[0], parts[1], "ro" in options, directory, propagation)


def _long_volume(node: Node, directory: str | None) -> dict[str, Any]:
    fields = node.fields(_FIELDS)
    kind = fields["type"].text() if "type" in fields else ""
    if kind == "volume":
        raise _no_volume(node, "volumes are not supported yet")
    if kind not in ("bind", "tmpfs"):
        raise node.refused(f"type {kind!r} is not supported", "use the type bind or tmpfs")
    for other in ("bind", "tmpfs", "volume", "image"):
        if other in fields and other != kind:
            raise fields[other].refused(f"the type is {kind}", f"omit {other}")
    if "target" not in fields:
        raise node.refused("target is missing", "set it to a path in the container")
    target, read_only = fields["target"].text(), "read_only" in fields and fields["read_only"].boolean()
    if kind == "tmpfs":
        return _tmpfs(node, target, _tmpfs_options(fields), read_only)
    if "source" not in fields:
        raise node.refused("source is missing", "set it to a path on the host")
    propagation = _propagation(fields["bind"]) if "bind" in fields else PRIVATE
    return _bind(node, fields["source"].text(), target, read_only, directory, propagation)


def _propagation(bind: Node) -> str:
    """Return the propagation of a bind mount, and check its other options."""
    propagation = PRIVATE
    for key, one in bind.fields().items():
        if key == "create_host_path":
            if one.boolean():
                raise one.refused("directories of the host are not created", "create it by a task, and omit this")
        elif key == "propagation":
            if one.text() not in _PROPAGATION:
                raise one.refused(f"{one.text()!r} is not supported", f"use {', '.join(_PROPAGATION)}")
            propagation = _PROPAGATION[one.text()]
        elif key != "selinux":
            raise one.refused("not supported", "omit it")
    return propagation


def _tmpfs_options(fields: Mapping[str, Node]) -> dict[str, str]:
    """Return size and mode."""
    if "source" in fields:
        raise fields["source"].refused("a tmpfs has no source", "omit it")
    tmpfs = fields["tmpfs"].fields(("size", "mode")) if "tmpfs" in fields else {}
    size = {"size": str(tmpfs["size"].bytes())} if "size" in tmpfs else {}
    return {**size, "mode": _mode(tmpfs["mode"])} if "mode" in tmpfs else size


def _mode(node: Node) -> str:
    """Return a mode in octal digits, as which a text is read. A number is the mode itself: 488 is 0750.

    YAML 1.1 reads 0750 as 488, YAML 1.2 and a file in src as text, and both read 750 as a number that is no mode of a
    directory: its owner may not enter it, or others may do what its owner may not.
    """
    if not isinstance(node.value, int) or isinstance(node.value, bool):
        found = re.fullmatch(r"(?:0o?)?([0-7]{3,4})", node.text())
        if found is None:
            raise node.refused(f"{node.value!r} is not a mode", "give octal digits, like '0750'")
        return found[1]
    owner, group, others = (node.value >> shift & 7 for shift in (6, 3, 0))
    if not 0 <= node.value <= 0o7777 or owner not in (5, 7) or not {group, others} <= {0, 1, 5, owner}:
        raise node.refused(f"the number {node.value} is not a mode", "quote it, as octal digits: '0750'")
    return f"{node.value:o}"


def _bind(
    node: Node, source: str, target: str, read_only: bool, directory: str | None, propagation: str
) -> dict[str, Any]:
    if source.startswith("~"):
        raise node.refused(f"{source} depends on a user", "give an absolute path of the host")
    if not source.startswith("/"):
        if directory is None:
            raise node.refused(
                f"{source} is a relative path", "give an absolute path of the host, or set project_directory"
            )
        source = posixpath.normpath(posixpath.join(directory, source))
    mount = {"type": "bind", "source": source, "target": target, "read_only": read_only}
    if propagation != PRIVATE:
        mount["propagation"] = propagation
    node.checked(lambda: Mount.parse(mount), "mounts")
    return mount


def _tmpfs(node: Node, target: str, options: Mapping[str, str], read_only: bool) -> dict[str, Any]:
    mount = {"type": "tmpfs", "target": target, "read_only": read_only, **options}
    node.checked(lambda: Mount.parse(mount), "mounts")
    return mount


def _no_volume(node: Node, problem: str) -> Refused:
    return node.refused(
        f"{problem}, and only bind mounts and tmpfs are supported", "mount a directory of the host: /srv/NAME:/PATH"
    )


def parse_tmpfs(node: Node) -> list[dict[str, Any]]:
    """Return `tmpfs` as the option mounts."""
    return [parse_one_tmpfs(one) for one in (node.entries() if isinstance(node.value, list) else [node])]


def parse_one_tmpfs(node: Node) -> dict[str, Any]:
    """Return an entry of `tmpfs`, PATH or PATH:OPTION,..., as one of the option mounts."""
    target, _, options = node.text().partition(":")
    given: dict[str, str] = {}
    read_only = False
    for option in filter(None, options.split(",")):
        name, _, value = option.partition("=")
        if name == "size":
            given[name] = str(Node(value, node.path).bytes())
        elif name == "mode":
            given[name] = _mode(Node(value, node.path))
        elif option in ("ro", "rw"):
            read_only = option == "ro"
        elif option not in _ANY_TMPFS:
            raise node.refused(f"option {option!r} is not supported", "use only size, mode, ro and rw")
    return _tmpfs(node, target, given, read_only)


def check_mounts(node: Node, mounts: list[dict[str, Any]]) -> None:
    """Check that all mounts of a service have targets of their own. Raises Refused."""
    node.checked(lambda: parse_mounts(mounts), "mounts")
