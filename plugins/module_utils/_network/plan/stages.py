# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the life of a container asks of the network, as stages of its plan. Pure.

How they are planned stands in foresight.py, which only containers with a network load.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..._engine.action import Stage


@dataclass(frozen=True)
class NetworkStage(Stage):
    """One for the container `container`."""

    container: str


@dataclass(frozen=True)
class AttachNetwork(NetworkStage):
    """It has a network namespace now, and so gets its link and its elements."""

    hostname: str

    def describe(self) -> str:
        return f"attach {self.container} to its network"


@dataclass(frozen=True)
class DetachNetwork(NetworkStage):
    """It runs no more: its link and its elements go. Nothing inside is looked at, nor can stand in the way."""

    def describe(self) -> str:
        return f"detach {self.container} from its network"


@dataclass(frozen=True)
class ForgetName(NetworkStage):
    """It is gone: those that could call it by name forget that name."""

    def describe(self) -> str:
        return f"forget the name {self.container} in others"


@dataclass(frozen=True)
class TellName(NetworkStage):
    """It has another hostname: those that may call it are told."""

    hostname: str

    def describe(self) -> str:
        return f"tell others the name of {self.container}"
