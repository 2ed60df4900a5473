# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out the actions of a network's plan."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping

from .._engine.action import Action, LeftOut
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import ConductorError, EffectFailed
from .._kernel.conntrack import forget_udp
from .._kernel.files.within_root import write_files
from .._kernel.nft import apply_batch
from .._kernel.sysctl import write_sysctl
from .container_root import root_of
from .forwarding import disable_forwarding, enable_forwarding, set_fence
from .plan.firewall_table import changed_udp_ports
from .plan.foreign_firewalls import LetThrough, TakeBack, commands_for
from .plan.forwarding import DisableForwarding, EnableForwarding, KeepAdvertisedRoute, SetFence
from .plan.projection import Connect, Disconnect, RouteLocalnet, UpdateFirewall, WriteInsideFiles
from .plan.veth import localnet_sysctl
from .veth import delete_link, make_link


def apply(settings: Settings, action: Action, own: Collection[str] = ()) -> None:
    """Carry out one action of plan_projection. Raises ConductorError.

    A container can only hinder itself: what fails in it raises LeftOut. Only what concerns the host as a whole, and a
    link of one of `own`, for which all is done, is an error.
    """
    try:
        _carry_out(settings, action)
    except (ConductorError, OSError) as error:
        reason = f"{error.strerror} ({error.filename})" if isinstance(error, OSError) else str(error)
        container = _hindered(action, own)
        if container is not None:
            raise LeftOut(reason, container) from error
        if isinstance(action, Connect):
            raise EffectFailed(f"container {action.container}: {reason}") from error
        raise


def still_to_do(
    actions: Iterable[Action], done: Iterable[Action], left_out: dict[str, str], own: Collection[str] = ()
) -> tuple[Action, ...]:
    """`actions` of a second plan without those for containers where one was left out before, or has been `done` and is
    to do again, for those inside may undo it at once: that is added to `left_out`, by container.
    """
    told = {_hindered(action, own): action.describe() for action in done}
    left = []
    for action in actions:
        name = _hindered(action, own)
        if name is not None and name in told:
            left_out.setdefault(name, f"it is undone at once by those inside: {told[name]}")
        if name is None or name not in left_out:
            left.append(action)
    return tuple(left)


def _hindered(action: Action, own: Collection[str]) -> str | None:
    """The container that alone can have hindered `action`; None where it is about the host, or a link of `own`."""
    if isinstance(action, WriteInsideFiles) or (isinstance(action, Connect) and action.container not in own):
        return action.container
    return None


def _carry_out(settings: Settings, action: Action) -> None:
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
        _write_inside(ContainerPaths.of(settings.container_dir, action.container), action.files)
    else:
        raise TypeError(f"{action!r} is no action of a network")


def _write_inside(paths: ContainerPaths, files: Mapping[str, bytes]) -> None:
    with root_of(paths) as root:
        if root is None:
            return
        for path, content in files.items():
            try:
                write_files(root, {path: content})
            except OSError as error:
                raise EffectFailed(f"{path} inside cannot be written: {error.strerror}") from error
