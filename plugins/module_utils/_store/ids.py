# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ranges of ids that containers have: each stands in its container.json, and is free again with that."""

from __future__ import annotations

import os

from .._errors import Damaged
from .._model.ids import IdRange
from .._model.layout import ContainerPaths
from .containers import build_names, container_names
from .json_files import read_json

SUBUID, SUBGID = "/etc/subuid", "/etc/subgid"


def read_ids(paths: ContainerPaths) -> IdRange | None:
    """The container's range, or None where it has the host's own ids, or there is none. Raises Damaged."""
    spec = read_json(paths.spec)
    if spec is None or spec.get("userns", "host") == "host":
        return None
    try:
        return IdRange(int(spec["ids"]["base"]), int(spec["ids"]["size"]))
    except (KeyError, TypeError, ValueError):
        raise Damaged(f"{paths.spec} is damaged (it has no ids)", "remove the container with force=true") from None


def taken_ids(container_dir: str, but: str) -> dict[str, IdRange]:
    """Ranges of all containers except `but`, by name."""
    found = {}
    for name in (*container_names(container_dir), *build_names(container_dir)):
        paths = ContainerPaths.of(container_dir, name)
        ids = _ids_or_owner(paths) if name != but else None
        if ids is not None:
            found[name] = ids
    return found


def _ids_or_owner(paths: ContainerPaths) -> IdRange | None:
    try:
        return read_ids(paths)
    except Damaged:
        pass
    # What cannot be read may still run: its files tell whose they are.
    try:
        owner = os.stat(paths.upper).st_uid
    except OSError:
        return None
    return IdRange(owner) if owner else None
