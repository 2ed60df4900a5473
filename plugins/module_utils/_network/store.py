# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write the network.json of containers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from .._engine.container_records import build_names, container_names, read_common_spec
from .._engine.json_files import read_json, write_json
from .._engine.paths import ContainerPaths
from .._errors import Damaged
from .spec.network import NetworkSpec


@dataclass(frozen=True)
class StoredNetwork:
    """The stored network of one container. `damage` names the file that cannot be parsed, and why."""

    name: str
    container_id: str = ""
    hostname: str = ""
    spec: NetworkSpec | None = None
    damage: str | None = None


def read_network(container_dir: str, name: str) -> StoredNetwork | None:
    """Return the stored network of the container, or None if the container does not exist.

    A network.json with another container id belongs to an earlier container of this name and is ignored.
    """
    paths = ContainerPaths.of(container_dir, name)
    try:
        container = read_common_spec(paths)
        if container is None:
            return None
        container_id = container.get("id")
        if not container_id:
            raise Damaged(f"{paths.spec} is damaged (no id)", "remove the container and create it again")
        value = read_json(paths.network)
        spec = None if value is None else NetworkSpec.from_dict(value, paths.network)
    except Damaged as error:
        return StoredNetwork(name, damage=str(error))
    if spec is not None and spec.container_id != container_id:
        spec = None
    return StoredNetwork(name, container_id, container.get("hostname") or name, spec)


def read_networks(container_dir: str, names: Iterable[str] | None = None) -> dict[str, StoredNetwork]:
    """Return the stored networks of `names`, or of all containers, by name, without containers that do not exist.

    Build containers, in which commands of images run, are included.
    """
    if names is None:
        names = (*container_names(container_dir), *build_names(container_dir))
    found = {name: read_network(container_dir, name) for name in names}
    return {name: stored for name, stored in found.items() if stored is not None}


def write_network(container_dir: str, name: str, spec: NetworkSpec) -> None:
    """Write the container's network.json."""
    write_json(ContainerPaths.of(container_dir, name).network, spec.to_dict())


def remove_network(container_dir: str, name: str) -> None:
    """Remove the container's network.json, if it exists."""
    try:
        os.unlink(ContainerPaths.of(container_dir, name).network)
    except FileNotFoundError:
        return
