# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of the host that belong to a stack and are not listed in the task."""

from __future__ import annotations

from collections.abc import Container

from .._container import store
from .._engine.container_records import container_names
from .._engine.names import STACK_LABEL
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import Conflict, Damaged
from .plan.stack import Others
from .spec.stack import Stack
from .spec.update import STAND_IN_LABEL


def find_others(stack: Stack, settings: Settings, listed: Container[str]) -> Others:
    """Return the containers of `stack` that are not `listed`.

    Raises Conflict if the name for a stand-in belongs to another container.
    """
    unlisted, stand_ins, damaged = [], [], []
    needed = {update.stand_in: service for service, update in stack.updates.items() if update.stand_in}
    for name in container_names(settings.container_dir):
        if name in listed:
            continue
        try:
            spec = store.read_spec(ContainerPaths.of(settings.container_dir, name))
        except Damaged as error:
            damaged.append(str(error))
            continue
        labels = dict(spec.labels) if spec is not None else {}
        is_ours = labels.get(STACK_LABEL) == stack.name
        if is_ours and STAND_IN_LABEL in labels:
            stand_ins.append(name)
        elif name in needed:
            raise Conflict(
                f"stack {stack.name}: the update of {needed[name]} starts a container {name}, and that name is taken",
                "rename that container or the entry, or set order: stop-first",
            )
        elif is_ours:
            unlisted.append(name)
    return Others(tuple(unlisted), tuple(stand_ins), tuple(damaged))
