# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill a command in a container with its descendants, including those that have left its process group."""

from __future__ import annotations

import signal

from ..._kernel.cgroup import Cgroup
from ..._kernel.processes import parent_and_session
from ..._kernel.terminate import send_signal

# Number of searches for new children: a process that forks without pause would never be finished.
_ROUNDS = 20


def kill_descendants(pid: int, cgroup: Cgroup) -> None:
    """Send SIGKILL to process `pid`, the leader of a session, to its session, and to their descendants in `cgroup`.

    A daemon, which has neither its parent nor its session among these, is not killed.
    """
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = _family(killed | {pid}, pid, cgroup) - killed
        if not found:
            return
        for _, pidfd in cgroup.hold(found):
            send_signal(pidfd, signal.SIGKILL)
        killed |= found


def _family(known: set[int], session: int, cgroup: Cgroup) -> set[int]:
    """`known`, all descendants of these, and all processes of that session."""
    relations = {pid: parent_and_session(pid) for pid in cgroup.processes()}
    found = set(known)
    while True:
        more = {p for p, of in relations.items() if of is not None and (of[0] in found or of[1] == session)} - found
        if not more:
            return found
        found |= more
