# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's plan is to know of the network. Changes nothing."""

from __future__ import annotations

from dataclasses import replace

from .._model.network import link_name
from .._plan.network_effects import callers_of
from .._plan.network_view import NetworkView
from .._store.settings import Settings
from .link import link_exists, look_at_pairs
from .observe import observe, observe_specs


def look(settings: Settings, name: str) -> NetworkView | None:
    """The network as the container `name` and its callers have it; None if neither has any.

    Nothing inside `name` is looked at: whoever is in there does not keep us from stopping it.
    """
    specs = observe_specs(settings)
    own, outer = specs.containers.get(name), link_name(name)
    callers = callers_of(specs, name)
    if not callers and (own is None or own.spec is None) and not link_exists(outer):
        return None
    view = observe(settings, lambda _view: callers - {name})
    if own is None:
        return view
    pair = look_at_pairs({outer: None}).get(outer)
    return replace(view, containers={**view.containers, name: replace(own, pair=pair)})
