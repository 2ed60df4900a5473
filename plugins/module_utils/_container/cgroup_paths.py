# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of the cgroups: one for each container, and one each for the supervisor and the agents.

Processes that outlive a session must leave its scope: systemd would kill them with the session, or wait for them at its
end.
"""

from __future__ import annotations

from .._engine.paths import AGENTS_CGROUP, SUPERVISOR_CGROUP
from .._kernel.cgroup import Cgroup

_PARENT = "conductor"


def container_cgroup(container: str) -> Cgroup:
    """The cgroup of the container with this name."""
    return Cgroup(f"{_PARENT}/{container}")


def supervisor_cgroup() -> Cgroup:
    """The cgroup of the supervisor."""
    return Cgroup(SUPERVISOR_CGROUP)


def agents_cgroup() -> Cgroup:
    """The cgroup of the agents, which enter containers for the connection plugin (_agent/daemon.py)."""
    return Cgroup(AGENTS_CGROUP)
