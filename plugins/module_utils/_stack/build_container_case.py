# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The use case of conductor_container: the container alone, or with its network and peers in place."""

from __future__ import annotations

from typing import Any

from .._container.use_case import ContainerCase
from .._engine.engine import UseCase
from .._engine.settings import Settings


def build(params: dict[str, Any], settings: Settings) -> UseCase[Any]:
    """Return the use case for `params`. Raises InvalidInput."""
    in_place = params.get("network") is not None or params.get("peers") is not None
    if not in_place or params["state"] == "absent":
        # A container that is removed loses its network, too.
        return ContainerCase(params, settings)
    # Loaded only if it is needed, since most tasks have nothing to do.
    from .connected_container import ConnectedContainer

    return ConnectedContainer(params, settings)
