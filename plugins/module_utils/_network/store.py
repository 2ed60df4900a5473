# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""network.json of every container, seen together: who has which address and may call whom."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from .._engine.container_records import build_names, container_names, read_kept
from .._engine.json_files import read_json, write_json
from .._engine.paths import ContainerPaths
from .._errors import Damaged
from .spec.network import NetworkSpec


@dataclass(frozen=True)
class StoredNetwork:
    """A container as far as its network goes. `damage` says which of its files cannot be understood, and why."""

    name: str
    container_id: str = ""
    hostname: str = ""
    spec: NetworkSpec | None = None
    damage: str | None = None


def read_network(container_dir: str, name: str) -> StoredNetwork | None:
    """The container's stored network, or None where there is no such container.

    A network.json of another container id was left by an earlier container of this name: it does not count.
    """
    paths = ContainerPaths.of(container_dir, name)
    try:
        container = read_kept(paths)
        if container is None:
            return None
        container_id = container.get("id")
        if not container_id:
            raise Damaged(f"{paths.spec} is damaged (it has no id)", "remove the container and create it anew")
        value = read_json(paths.network)
        spec = None if value is None else NetworkSpec.from_dict(value, paths.network)
    except Damaged as error:
        return StoredNetwork(name, damage=str(error))
    if spec is not None and spec.container_id != container_id:
        spec = None
    return StoredNetwork(name, container_id, container.get("hostname") or name, spec)


def read_networks(container_dir: str, names: Iterable[str] | None = None) -> dict[str, StoredNetwork]:
    """The containers of `names`, or every one of this host, by name; without those that do not exist.

    Those in which commands of images run are among them.
    """
    if names is None:
        names = (*container_names(container_dir), *build_names(container_dir))
    found = {name: read_network(container_dir, name) for name in names}
    return {name: stored for name, stored in found.items() if stored is not None}


def write_network(container_dir: str, name: str, spec: NetworkSpec) -> None:
    """Store what the container's network is to be."""
    write_json(ContainerPaths.of(container_dir, name).network, spec.to_dict())


def remove_network(container_dir: str, name: str) -> None:
    """The container has no network any more. Nothing happens where it has none."""
    try:
        os.unlink(ContainerPaths.of(container_dir, name).network)
    except FileNotFoundError:
        return
