# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out the actions of a network's plan."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable

from .._errors import ConductorError, EffectFailed
from .._linux.conntrack import forget_udp
from .._linux.inside_root import write_files
from .._linux.nft import apply_batch
from .._linux.sysctl import write_sysctl
from .._model.layout import ContainerPaths
from .._plan.action import Action
from .._plan.firewall import changed_udp_ports
from .._plan.forwarding import DisableForwarding, EnableForwarding, KeepAdvertisedRoute, SetFence
from .._plan.link import localnet_sysctl
from .._plan.network import Connect, Disconnect, RouteLocalnet, UpdateFirewall, WriteInsideFiles
from .._plan.other_firewalls import LetThrough, TakeBack, commands_for
from .._store.settings import Settings
from .forwarding import disable_forwarding, enable_forwarding, set_fence
from .link import delete_link, make_link
from .root import root_of


def apply(settings: Settings, action: Action) -> None:
    """Carry out one action of plan_projection."""
    if isinstance(action, EnableForwarding):
        enable_forwarding(action.version)
    elif isinstance(action, DisableForwarding):
        disable_forwarding(action.version)
    elif isinstance(action, SetFence):
        set_fence(action.wanted)
    elif isinstance(action, RouteLocalnet):
        write_sysctl(localnet_sysctl(action.outer), "1" if action.allowed else "0")
    elif isinstance(action, KeepAdvertisedRoute):
        write_sysctl(f"net/ipv6/conf/{action.interface}/accept_ra", "2")
    elif isinstance(action, Connect):
        make_link(action.link, ContainerPaths.of(settings.container_dir, action.container).netns)
    elif isinstance(action, Disconnect):
        delete_link(action.outer)
    elif isinstance(action, UpdateFirewall):
        apply_batch(list(action.commands))
        forget_udp(changed_udp_ports(action.commands))
    elif isinstance(action, (LetThrough, TakeBack)):
        # Planned only if it is possible; somebody else's firewall is no reason to end here if it is so no more.
        with contextlib.suppress(EffectFailed):
            apply_batch(commands_for(action))
    elif isinstance(action, WriteInsideFiles):
        with root_of(ContainerPaths.of(settings.container_dir, action.container)) as root:
            for path, content in action.files.items() if root is not None else ():
                _write_inside(root, path, content)
    else:
        raise TypeError(f"{action!r} is no action of a network")


def _write_inside(root: int, path: str, content: bytes) -> None:
    try:
        write_files(root, {path: content})
    except OSError as error:
        raise EffectFailed(f"{path} inside cannot be written: {error.strerror}") from error


class EachAlone:
    """Carries out the actions of a network's plan, where one container can only hinder itself.

    What fails in a container is left out from then on, and told in `warnings`; so is what has been done and is not so,
    for those inside may undo it at once. Only what concerns the host as a whole, and a link of one of `own`, for which
    all is done, is an error.
    """

    def __init__(self, settings: Settings, own: Collection[str] = ()) -> None:
        self._settings = settings
        self._own = frozenset(own)
        self._failed: dict[str, str] = {}
        self._done: dict[str, str] = {}

    def apply(self, action: Action) -> None:
        """Carry out one action. Raises ConductorError."""
        name = getattr(action, "container", None)
        try:
            apply(self._settings, action)
            if name is not None and not self._is_own_link(action):
                self._done[name] = action.describe()
        except (ConductorError, OSError) as error:
            if name is None:
                raise
            reason = f"{error.strerror} ({error.filename})" if isinstance(error, OSError) else str(error)
            if self._is_own_link(action):
                raise EffectFailed(f"container {name}: {reason}") from error
            self._failed[name] = reason

    def left(self, actions: Iterable[Action]) -> tuple[Action, ...]:
        """`actions` without those for containers where one has failed, or was in vain."""
        left = []
        for action in actions:
            name = getattr(action, "container", None)
            if name in self._done and not self._is_own_link(action):
                self._failed.setdefault(name, f"it is undone at once by those inside: {self._done[name]}")
            if name not in self._failed or self._is_own_link(action):
                left.append(action)
        return tuple(left)

    def _is_own_link(self, action: Action) -> bool:
        return isinstance(action, Connect) and action.container in self._own

    @property
    def warnings(self) -> list[str]:
        return [f"container {name}: {reason}" for name, reason in self._failed.items()]
