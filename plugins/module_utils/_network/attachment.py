# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What starting and stopping a container needs of its network: three calls that do nothing where it has none."""

from __future__ import annotations

import os

from .._linux.locks import Lock, locked
from .._model.layout import LOCK_DIR, ContainerPaths
from .._model.network import link_name
from .._store.settings import Settings


def attach(settings: Settings, name: str) -> None:
    """Connect the container `name`, whose network namespace exists, as its network.json says.

    Raises Damaged, HostNotCapable, EffectFailed; LockTimeout where the network is locked for too long.
    """
    if not os.path.exists(ContainerPaths.of(settings.container_dir, name).network):
        return
    _project(settings, name)


def detach(settings: Settings, name: str) -> None:
    """Take away the link and the firewall elements of `name`, whatever is there of them."""
    from .link import link_exists

    present = os.path.exists(ContainerPaths.of(settings.container_dir, name).network)
    if present or link_exists(link_name(name)):
        _project(settings, name, gone=True)


def forget(settings: Settings, name: str) -> None:
    """To be called when the container `name` is gone from disk: those that could call it by name forget that name."""
    from .._plan.network import plan_projection
    from .._plan.network_view import NetworkView
    from .apply import EachAlone
    from .observe import observe, observe_specs

    def callers(view: NetworkView) -> set[str]:
        return {c.name for c in view.containers.values() if c.spec and any(e.peer == name for e in c.spec.peers)}

    with locked(LOCK_DIR, Lock("network"), settings.lock_timeout):
        if not callers(observe_specs(settings)):
            return
        view = observe(settings, callers)
        each = EachAlone(settings)
        for action in plan_projection(view, callers(view), settings.forwarding, settings.firewall):
            each.apply(action)


def inside_files(settings: Settings, name: str, hostname: str, root_fd: int) -> dict[str, bytes]:
    """Content of /etc/hosts for `name`, whose root is `root_fd`, and of /etc/resolv.conf if its network says so."""
    from .._linux.inside_root import read_files
    from .._plan import inside_files as plan
    from .observe import observe_specs

    view = observe_specs(settings, [name])
    own = view.containers.get(name)
    if own and own.spec and own.spec.peers:
        view = observe_specs(settings, [name, *(entry.peer for entry in own.spec.peers)])
    # What cannot be read cannot be written either, which is reported by whoever writes.
    present = read_files(root_fd, [plan.HOSTS, plan.RESOLV], problems={})
    return plan.inside_files(view, name, hostname, present)


def _project(settings: Settings, name: str, gone: bool = False) -> None:
    from dataclasses import replace

    from .._errors import Damaged
    from .._plan.network import plan_projection
    from .._plan.network_view import ContainerView
    from .apply import EachAlone
    from .link import look_at_pairs
    from .observe import observe

    with locked(LOCK_DIR, Lock("network"), settings.lock_timeout):
        # Where it goes, nothing that those inside have made may stand in the way: not even a look at it.
        view = observe(settings, lambda _view: set() if gone else {name})
        container = view.containers.get(name)
        if gone:
            left = ContainerView(name, pair=look_at_pairs({link_name(name): None}).get(link_name(name)))
            view = replace(view, containers={**view.containers, name: left})
        elif container is not None and container.damage:
            raise Damaged(container.damage)
        each = EachAlone(settings, {name})
        for action in plan_projection(view, {name}, settings.forwarding, settings.firewall):
            each.apply(action)
