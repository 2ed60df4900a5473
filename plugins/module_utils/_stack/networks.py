# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of a stack on the host: observed once, and changed in one transaction under the lock of all networks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from .._engine.action import Action, ActionSkipped
from .._engine.locks import network_lock
from .._engine.paths import LOCK_DIR, ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, EffectFailed
from .._kernel import network_namespace
from .._kernel.flock import locked
from .._kernel.interfaces import open_rtnetlink
from .._kernel.listening_ports import find_listeners
from .._network.actions import apply, connect_all, remaining_actions
from .._network.observe import observe
from .._network.plan.change_spec import RemoveNetworkSpec, WriteNetworkSpec
from .._network.plan.foresight import callers_of, stand_ins_of
from .._network.plan.projection import Connect, Disconnect
from .._network.plan.view import Listening, NetworkView
from .._network.spec.network import LINK_PREFIX
from .._network.spec.ports import expose_warnings
from .._network.stages import look_at_detached
from .._network.store import remove_network, write_network
from .._network.veth import delete_links
from .._network.warnings import network_warnings
from .plan.network import NetworkWish, Policy, plan_attach, plan_detach, plan_specs, with_members
from .plan.stack import ChangeNetworks
from .spec.stack import Member
from .stack_run import finish

if TYPE_CHECKING:
    from .._engine.engine import Run
    from .plan.stack import StackView


def policy_of(settings: Settings) -> Policy:
    return Policy(settings.forwarding, settings.firewall)


def observe_networks(settings: Settings, wishes: Mapping[str, NetworkWish]) -> NetworkView:
    """Return specs and kernel state, with links and files of the members and of their callers."""
    view = observe(settings, lambda found: _concerned(found, wishes), others=("forward",))
    exposes = (expose for wish in wishes.values() if wish.options for expose in wish.options.expose)
    asked = {(expose.protocol, *expose.host_ports) for expose in exposes}
    with open_rtnetlink() as host:
        networks = [(network, link) for network, link in host.networks() if not link.startswith(LINK_PREFIX)]
    listening = {*view.listeners, *(Listening(*found) for found in (find_listeners(asked) if asked else ()))}
    return replace(view, networks=tuple(networks), listeners=tuple(sorted(listening)))


def _concerned(view: NetworkView, wishes: Mapping[str, NetworkWish]) -> set[str]:
    """Return the containers of `wishes` with their callers and their stand-ins."""
    own = {found for name in wishes for found in ({name} | callers_of(view, name))}
    return {*own, *stand_ins_of(view, wishes), *(wish.stand_in.name for wish in wishes.values() if wish.stand_in)}


def apply_networks(
    settings: Settings, change: ChangeNetworks, wishes: Mapping[str, NetworkWish], run: Run[StackView]
) -> None:
    """Plan `change` on the present state, and carry it out. A link that fails is a failure of its container."""
    with locked(LOCK_DIR, network_lock(), settings.lock_timeout):
        if change.attached:
            view = observe_networks(settings, wishes)
            # A member that could not be created, or has no network yet, must not fail the others.
            own = view.containers
            missing = {name for name in run.outcome.failures if name not in own or own[name].spec is None}
            wishes = {name: wish.without_peers(missing) for name, wish in wishes.items()}
            actions = plan_attach(view, wishes, policy_of(settings))
            begin = len(run.done)
        else:
            view = look_at_detached(settings, change.detached)
            actions, _ = plan_detach(view, change.detached, policy_of(settings))
        for group in _grouped(actions):
            _apply(settings, group, wishes, run)
        for name in change.detached:
            # Other runs take a container with a network namespace for attached.
            network_namespace.remove(ContainerPaths.of(settings.container_dir, name).netns)
        if change.attached and actions and not run.outcome.failures:
            _require_converged(settings, view, wishes, run, run.done[begin:])


def warnings_of(
    view: NetworkView, members: Iterable[Member], wishes: Mapping[str, NetworkWish], hostnames: Mapping[str, str]
) -> list[str]:
    """Return the warnings about the networks of `members`, as they are to be."""
    exposes = [
        f"container {member.name}: {text}"
        for member in members
        for text in expose_warnings((member.network or {}).get("expose") or ())
    ]
    # In check mode the view has the old networks. After a run others may have changed what this one needed.
    view = with_members(view, hostnames, (), ())
    with contextlib.suppress(ConductorError):
        view = plan_specs(view, wishes)[1]
    return [*exposes, *network_warnings(view, hostnames)]


def _require_converged(
    settings: Settings,
    first: NetworkView,
    wishes: Mapping[str, NetworkWish],
    run: Run[StackView],
    done: Iterable[Action],
) -> None:
    """Raise EffectFailed if a second view, under the lock of all networks, shows that more has to be done.

    Without the lock, other runs may change what concerns all networks.
    """
    again = observe_networks(settings, wishes).fenced_as(first, wishes)
    left = remaining_actions(plan_attach(again, wishes, policy_of(settings)), done, run.skipped, wishes)
    if left:
        remaining = "; ".join(action.describe() for action in left)
        raise EffectFailed(f"did not converge: these actions are still required: {remaining}")


def _grouped(actions: Iterable[Action]) -> Iterator[list[Action]]:
    """Yield the actions, with links together that are made or deleted one after the other."""
    for kind, group in groupby(actions, type):
        if kind in (Connect, Disconnect):
            yield list(group)
        else:
            yield from ([action] for action in group)


def _apply(settings: Settings, group: list[Action], wishes: Mapping[str, NetworkWish], run: Run[StackView]) -> None:
    action = group[0]
    if isinstance(action, Connect):
        failed = connect_all(settings, [link for link in group if isinstance(link, Connect)])
        for link in group:
            if isinstance(link, Connect) and link.container not in failed:
                finish(run, link)
        for name, error in failed.items():
            reason = f"{error.strerror} ({error.filename})" if isinstance(error, OSError) else str(error)
            if name in wishes:
                run.outcome.fail(name, EffectFailed(f"container {name}: {reason}"))
            else:
                # Its processes can have caused that.
                run.skipped.setdefault(name, reason)
        return
    if isinstance(action, Disconnect):
        delete_links(link.outer for link in group if isinstance(link, Disconnect))
        finish(run, *group)
        return
    try:
        if isinstance(action, WriteNetworkSpec):
            write_network(settings.container_dir, action.container, action.spec)
        elif isinstance(action, RemoveNetworkSpec):
            remove_network(settings.container_dir, action.container)
        else:
            apply(settings, action, wishes)
    except ActionSkipped as skipped:
        run.skipped.setdefault(skipped.container, skipped.reason)
    else:
        finish(run, action)
