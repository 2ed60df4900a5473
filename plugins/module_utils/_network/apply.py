# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out the actions of a network's plan."""

from __future__ import annotations

import contextlib

from .._errors import EffectFailed
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
            if root is not None:
                write_files(root, action.files)
    else:
        raise TypeError(f"{action!r} is no action of a network")
