# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network stages of a container's plan: planned when they are due, under the network lock, and applied."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from .._engine.action import Action, ActionSkipped
from .._engine.locks import network_lock
from .._engine.paths import LOCK_DIR, ContainerPaths
from .._engine.settings import Settings
from .._errors import Damaged
from .._kernel.flock import locked
from .._kernel.link_exists import link_exists
from .plan.stages import AttachNetwork, DetachNetwork, NetworkStage
from .spec.network import link_name

# Modules for networks are imported in functions, so that a start without a network costs less.
if TYPE_CHECKING:
    from .plan.view import NetworkView


@contextlib.contextmanager
def staged(settings: Settings, stage: NetworkStage) -> Iterator[tuple[Action, ...]]:
    """Yield the actions of `stage`, planned now. No other process changes networks during the block.

    After the block, a detached container has no network namespace any more: other runs take a container with one for
    attached. Raises LockTimeout if the network lock is held for too long, Damaged, HostNotCapable.
    """
    from .._kernel import network_namespace
    from .plan.foresight import plan_stage

    with locked(LOCK_DIR, network_lock(), settings.lock_timeout):
        view = _look(settings, stage)
        yield () if view is None else plan_stage(stage, view, settings.forwarding, settings.firewall)
        if isinstance(stage, DetachNetwork):
            network_namespace.remove(ContainerPaths.of(settings.container_dir, stage.container).netns)


def carry_out(settings: Settings, stage: NetworkStage, warn: Callable[[str], None] = lambda _text: None) -> None:
    """Plan and apply `stage` for callers without a plan of their own.

    `warn` gets a text for each action that a container hindered. Raises the errors of `staged` and of the actions.
    """
    from .actions import apply

    with staged(settings, stage) as actions:
        for action in actions:
            try:
                apply(settings, action, {stage.container})
            except ActionSkipped as error:
                warn(f"container {error.container}: {error.reason}")


def detach_network(settings: Settings, name: str) -> None:
    """Detach container `name` from its network, if it has one or a link. Raises the errors of `carry_out`."""
    if has_network_or_link(settings, name):
        carry_out(settings, DetachNetwork(name))


def has_network(settings: Settings, name: str) -> bool:
    """Return whether container `name` has a stored network. Needs neither pyroute2 nor nft."""
    return os.path.lexists(ContainerPaths.of(settings.container_dir, name).network)


def has_network_or_link(settings: Settings, name: str) -> bool:
    """Return whether container `name` has a stored network, or a link without one. Needs neither pyroute2 nor nft."""
    return has_network(settings, name) or link_exists(link_name(name))


def check_attachable(settings: Settings, name: str) -> None:
    """Check the spec of container `name` and the `forwarding` setting before an attach. Changes nothing.

    Raises Damaged, HostNotCapable.
    """
    from .forwarding import read_forwarding
    from .observe import observe_specs
    from .plan.foresight import with_stage
    from .plan.forwarding import plan_enabling

    view = observe_specs(settings, [name])
    own = view.containers.get(name)
    if own is None:
        return
    if own.damage:
        raise Damaged(own.damage)
    if settings.forwarding == "require":
        view = with_stage(view, AttachNetwork(name, own.hostname))
        plan_enabling(replace(view, forwarding=read_forwarding(view.ipv6)), settings.forwarding)


def look(settings: Settings, name: str, running: bool) -> NetworkView | None:
    """Return the network of container `name` and its callers for check mode, or None if none of them has a network.

    If the container is `running`, nothing in it is read: its processes must not be able to prevent a stop.
    """
    from .observe import observe, observe_specs
    from .plan.foresight import callers_of

    specs = observe_specs(settings)
    own = specs.containers.get(name)
    if not callers_of(specs, name) and (own is None or own.spec is None) and not link_exists(link_name(name)):
        return None
    if not running:
        return observe(settings, lambda view: callers_of(view, name) | {name})
    return _with_link(observe(settings, lambda view: callers_of(view, name) - {name}), name)


def look_at_detached(settings: Settings, names: Collection[str]) -> NetworkView:
    """Return the view for detaching the stopped containers `names`. Reads nothing in them."""
    from .observe import observe
    from .veth import read_veth_pairs

    view = observe(settings, lambda _view: ())
    pairs = read_veth_pairs({link_name(name): None for name in names})
    found = {
        name: replace(view.containers[name], pair=pairs.get(link_name(name)))
        for name in names
        if name in view.containers
    }
    return replace(view, containers={**view.containers, **found})


def _look(settings: Settings, stage: NetworkStage) -> NetworkView | None:
    """Return the view that `stage` is planned on, or None if the stage concerns no container."""
    from .observe import observe, observe_specs
    from .plan.foresight import callers_of, focus_of

    if isinstance(stage, DetachNetwork):
        return _with_link(observe(settings, lambda _view: ()), stage.container)
    if not isinstance(stage, AttachNetwork) and not callers_of(observe_specs(settings), stage.container):
        return None
    view = observe(settings, lambda view: focus_of(stage, view))
    own = view.containers.get(stage.container)
    if isinstance(stage, AttachNetwork) and own is not None and own.damage:
        raise Damaged(own.damage)
    return view


def _with_link(view: NetworkView, name: str) -> NetworkView:
    """Return `view` with the host end of container `name`, even if the container has no spec."""
    from .plan.view import ContainerView
    from .veth import read_veth_pairs

    pair = read_veth_pairs({link_name(name): None}).get(link_name(name))
    container = replace(view.containers.get(name, ContainerView(name)), pair=pair)
    return replace(view, containers={**view.containers, name: container})
