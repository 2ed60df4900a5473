# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One container of the supervisor."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from ..._engine.paths import ContainerPaths
from .helpers import Helper


@dataclass
class Supervised:
    """A container: its run state, a pidfd of its first process or a time of its restart, and clients that wait.

    `restart_at`: seconds since boot. `status`: of its last end, see `should_restart`. `flaps`: restarts since the last
    good run. `helper` starts, restarts or stops it.
    """

    paths: ContainerPaths
    state: dict
    pidfd: int | None = None
    restart_at: float | None = None
    status: int | None = None
    flaps: int = 0
    helper: Helper | None = None
    is_released: bool = False
    waiting: list[socket.socket] = field(default_factory=list)
