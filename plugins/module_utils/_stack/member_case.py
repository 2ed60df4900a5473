# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container of a stack: the use case of conductor_container, whose ids are chosen with those of all others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .._container.id_ranges import SUBGID, SUBUID, assigned_ids
from .._container.plan.id_ranges import IdsView, choose_ids
from .._container.spec.container import ContainerSpec
from .._container.spec.merge import merge
from .._container.use_case import ContainerCase
from .._engine.id_range import IdRange
from .._engine.settings import Settings
from .._kernel.files.atomic_write import read_text


def read_ids_view(settings: Settings) -> IdsView:
    """Return the ranges of all containers of the host, read once for all members."""
    return IdsView(read_text(SUBUID), read_text(SUBGID), assigned_ids(settings.container_dir, ""))


class MemberCase(ContainerCase):
    """`shared_ids` returns the ranges of all containers; `ids` is the range for a new container, once it is chosen."""

    ids: IdRange | None = None

    def __init__(self, params: dict[str, Any], settings: Settings, shared_ids: Callable[[], IdsView]) -> None:
        super().__init__(params, settings)
        self._shared_ids = shared_ids

    def wanted_hostname(self, present: ContainerSpec | None) -> str:
        """Return the host name that the container, whose spec is `present`, is to have."""
        return merge(present, self.changes).hostname

    def _ids_view(self) -> IdsView:
        view = self._shared_ids()
        return replace(view, assigned={name: ids for name, ids in view.assigned.items() if name != self.name})

    @contextlib.contextmanager
    def _chosen_ids(self, spec: ContainerSpec) -> Iterator[IdRange | None]:
        yield self.ids


def choose_all(cases: dict[str, ContainerSpec], view: IdsView) -> dict[str, IdRange | None]:
    """Return a range for each of the new containers. Raises the errors of `choose_ids`."""
    assigned = {name: ids for name, ids in view.assigned.items() if name not in cases}
    chosen = {}
    for name, spec in cases.items():
        ids = choose_ids(spec.userns, replace(view, assigned=assigned))
        chosen[name] = ids
        if ids is not None:
            assigned[name] = ids
    return chosen
