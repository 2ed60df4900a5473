# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan IP forwarding for containers without forwarding packets of others. Pure.

If forwarding was off before, a fence keeps it off for everything else: rules of the nftables table, and routing rules,
which survive a flush of the firewall (_kernel/routing_rules.py). The fence is removed if another program enables
forwarding, or with the last network.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..._engine.action import Action
from ..._errors import HostNotCapable
from .view import Fence, NetworkView


@dataclass(frozen=True)
class EnableForwarding(Action):
    """Enable forwarding for one IP version (the sysctls that routers set)."""

    version: int

    def describe(self) -> str:
        return f"enable IPv{self.version} forwarding"


@dataclass(frozen=True)
class DisableForwarding(Action):
    """Disable forwarding that was enabled for containers only."""

    version: int

    def describe(self) -> str:
        return f"disable IPv{self.version} forwarding"


@dataclass(frozen=True)
class KeepAdvertisedRoute(Action):
    """Set accept_ra=2: otherwise a host that forwards drops routes from router advertisements (ip-sysctl)."""

    interface: str

    def describe(self) -> str:
        return f"keep accepting router advertisements on {self.interface}"


@dataclass(frozen=True)
class SetFence(Action):
    """Change the fence to `wanted`."""

    wanted: Fence

    def describe(self) -> str:
        names = sorted({name for _version, name in self.wanted.interfaces})
        return f"block other forwarding between {', '.join(names)}" if names else "remove the block on other forwarding"


def _needed(view: NetworkView) -> set[int]:
    """Return the IP versions that containers need forwarded.

    If the spec of an attached container cannot be read, the versions that are forwarded now are kept.
    """
    unknown = any(c.damage and c.attached for c in view.containers.values())
    needed = {version for c in view.connected() for version in (4, 6) if version == 4 or (c.spec and c.spec.ipv6)}
    return needed | (set(view.forwarding.ours) if unknown else set())


def _off(view: NetworkView) -> set[int]:
    return {version for version, on in ((4, view.forwarding.ipv4), (6, view.forwarding.ipv6)) if not on}


def wanted_fence(view: NetworkView) -> Fence:
    """Return the fence for the IP versions that are forwarded for containers.

    It keeps interfaces that no longer exist: many come and go, and a rule for one that does not exist has no effect.
    """
    ours = _needed(view) & (_off(view) | view.forwarding.ours)
    around, found = view.forwarding.around, view.forwarding.fence
    networks = (n for n in around.networks if (6 if ":" in n else 4) in ours)
    return Fence(frozenset(i for i in around.interfaces | found.interfaces if i[0] in ours), frozenset(networks))


def plan_disabling(view: NetworkView) -> list[Action]:
    """Return actions that disable forwarding that no container needs, to be applied after the last link is deleted."""
    return [DisableForwarding(version) for version in sorted(view.forwarding.ours - _needed(view))]


def plan_fence(view: NetworkView) -> list[Action]:
    """Return actions that correct the fence: before forwarding is enabled, and after it is disabled."""
    wanted = wanted_fence(view)
    return [] if wanted == view.forwarding.fence else [SetFence(wanted)]


def plan_enabling(view: NetworkView, forwarding: str) -> list[Action]:
    """Return actions that enable forwarding, none if `forwarding` is "leave". "require" raises HostNotCapable."""
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
