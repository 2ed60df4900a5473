# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers a boot of the host starts, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..._container.spec.container import ContainerSpec


def autostarts(spec: ContainerSpec, is_wanted: bool, has_run: bool) -> bool:
    """Return whether a boot starts the container.

    `is_wanted`: it should run according to container.json; `has_run`: it has run before. As with docker, only the
    policy always starts a container that was stopped by a user, and a container that has never run is not started.
    """
    return spec.starts_at_boot and (is_wanted or (has_run and spec.restart_policy == "always"))


def start_order(
    depends_on: Mapping[str, Collection[str]], peers: Mapping[str, Collection[str]]
) -> dict[str, frozenset[str]]:
    """Return for each container of `depends_on` those of them that are started before it, without a cycle.

    A container is started after those in its `depends_on`, and after those that it calls (`peers`). Peers that call
    each other have no order. So have dependencies that form a cycle, which only separate runs can record.
    """
    names = set(depends_on)
    after = {name: ({*depends_on[name], *peers.get(name, ())} & names) - {name} for name in names}
    left = set(names)
    while left:
        free = {name for name in left if not after[name] & left}
        if not free:
            caller, called = _removable(after, left, depends_on)
            after[caller].discard(called)
        left -= free
    return {name: frozenset(after[name]) for name in sorted(names)}


def _removable(
    after: Mapping[str, Collection[str]], left: set[str], depends_on: Mapping[str, Collection[str]]
) -> tuple[str, str]:
    """Return an edge of a cycle among `left`, preferably one of peers. Each of `left` has an edge into `left`."""
    path = [min(left)]
    while (following := min(left.intersection(after[path[-1]]))) not in path:
        path.append(following)
    cycle = [*path[path.index(following) :], following]
    edges = list(zip(cycle, cycle[1:]))
    return next((edge for edge in edges if edge[1] not in depends_on[edge[0]]), edges[0])
