# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages for the network in a container's plan. Pure.

foresight.py plans them. It is imported only for containers with a network.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..._engine.action import Stage


@dataclass(frozen=True)
class NetworkStage(Stage):
    """A stage for the container `container`."""

    container: str


@dataclass(frozen=True)
class AttachNetwork(NetworkStage):
    """Add the link and nftables elements of a container that now has a network namespace."""

    hostname: str

    def describe(self) -> str:
        return f"attach {self.container} to its network"


@dataclass(frozen=True)
class DetachNetwork(NetworkStage):
    """Remove the link, nftables elements and network namespace of a stopped container.

    Reads nothing in it, so it cannot be hindered.
    """

    def describe(self) -> str:
        return f"detach {self.container} from its network"


@dataclass(frozen=True)
class RemoveNameFromCallers(NetworkStage):
    """Remove the name of a removed container from its callers' /etc/hosts."""

    def describe(self) -> str:
        return f"remove the name {self.container} from its callers"


@dataclass(frozen=True)
class UpdateNameInCallers(NetworkStage):
    """Update the hostname of a container in its callers' /etc/hosts."""

    hostname: str

    def describe(self) -> str:
        return f"update the name of {self.container} in its callers"
