# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host forwards containers' packets, and because of them nobody else's. Pure.

If forwarding was off before, a fence keeps it so for everybody else: rules of our table, and routing rules, which stay
if the firewall is flushed (_kernel/routing_rules.py). It goes when somebody else
switches forwarding on, or the last network goes.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..._engine.action import Action
from ..._errors import HostNotCapable
from .view import Fence, NetworkView


@dataclass(frozen=True)
class EnableForwarding(Action):
    """Let the host route packets of one IP version (the sysctls that routers set)."""

    version: int

    def describe(self) -> str:
        return f"enable IPv{self.version} forwarding"


@dataclass(frozen=True)
class DisableForwarding(Action):
    """Switch forwarding off again, which only we have switched on."""

    version: int

    def describe(self) -> str:
        return f"disable IPv{self.version} forwarding"


@dataclass(frozen=True)
class KeepAdvertisedRoute(Action):
    """accept_ra=2: the kernel forgets what routers advertise when it begins to route, unless told so (ip-sysctl)."""

    interface: str

    def describe(self) -> str:
        return f"keep accepting router advertisements on {self.interface}"


@dataclass(frozen=True)
class SetFence(Action):
    """Make the fence `wanted`."""

    wanted: Fence

    def describe(self) -> str:
        names = sorted({name for _version, name in self.wanted.interfaces})
        return f"forward nothing else between {', '.join(names)}" if names else "remove the fence between interfaces"


def _needed(view: NetworkView) -> set[int]:
    """The IP versions that containers need forwarded; of one whose spec cannot be read, those that are."""
    unknown = any(c.damage and c.attached for c in view.containers.values())
    needed = {version for c in view.connected() for version in (4, 6) if version == 4 or (c.spec and c.spec.ipv6)}
    return needed | (set(view.forwarding.ours) if unknown else set())


def _off(view: NetworkView) -> set[int]:
    return {version for version, on in ((4, view.forwarding.ipv4), (6, view.forwarding.ipv6)) if not on}


def wanted_fence(view: NetworkView) -> Fence:
    """The fence of the versions that are forwarded because of us.

    It stays around an interface that has gone: many come and go, and a rule for one that is not there is none.
    """
    ours = _needed(view) & (_off(view) | view.forwarding.ours)
    around, found = view.forwarding.around, view.forwarding.fence
    networks = (n for n in around.networks if (6 if ":" in n else 4) in ours)
    return Fence(frozenset(i for i in around.interfaces | found.interfaces if i[0] in ours), frozenset(networks))


def plan_disabling(view: NetworkView) -> list[Action]:
    """Switch off what nobody needs any more, to be done when the last link is gone."""
    return [DisableForwarding(version) for version in sorted(view.forwarding.ours - _needed(view))]


def plan_fence(view: NetworkView) -> list[Action]:
    """The fence, to be put up before forwarding is switched on and after it is off."""
    wanted = wanted_fence(view)
    return [] if wanted == view.forwarding.fence else [SetFence(wanted)]


def plan_enabling(view: NetworkView, forwarding: str) -> list[Action]:
    """Switch on what containers need, unless `forwarding` is "leave". Raises HostNotCapable if it is "require"."""
    off = sorted(_off(view) & _needed(view)) if forwarding != "leave" else []
    if off and forwarding == "require":
        raise HostNotCapable(
            f"this host does not forward IPv{off[0]} packets",
            "set net.ipv4.ip_forward and net.ipv6.conf.all.forwarding to 1, or use forwarding: enable",
        )
    actions: list[Action] = []
    if 6 in off:
        actions += [KeepAdvertisedRoute(interface) for interface in view.forwarding.needs_accept_ra]
    return actions + [EnableForwarding(version) for version in off]
