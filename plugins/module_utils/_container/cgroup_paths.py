# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cgroup is whose: a container has one of its name, and so have our own processes that outlive a session.

systemd counts what is in a session's scope as part of the session: its end would be theirs, and would wait for them. No
container's name begins with a dot.
"""

from __future__ import annotations

from .._kernel.cgroup import Cgroup

_PARENT = "conductor"


def cgroup_of(container: str) -> Cgroup:
    """The cgroup of a container, by its name."""
    return Cgroup(f"{_PARENT}/{container}")


def cgroup_of_supervisors() -> Cgroup:
    """The cgroup of all supervisors."""
    return Cgroup(f"{_PARENT}/.supervisors")


def cgroup_of_entry() -> Cgroup:
    """The cgroup of who enters containers for controllers (_agent/daemon.py)."""
    return Cgroup(f"{_PARENT}/.entry")
