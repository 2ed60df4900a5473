# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cgroup is a container's. Who enters one needs no more of its start than this."""

from __future__ import annotations

from .._linux.cgroups import Cgroup


def cgroup_of(name: str) -> Cgroup:
    """The cgroup of container `name`."""
    return Cgroup(f"conductor/{name}")
