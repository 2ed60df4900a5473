# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CPUs that the processes of a cgroup may use (Documentation/admin-guide/cgroup-v1/cpusets.rst, cgroup-v2.rst).

Only a cgroup that asks for a set joins the controller: in version 1 a set does not follow CPUs that are plugged in
later, and costs one more cgroup.
"""

from __future__ import annotations

import contextlib
import os

from .._errors import EffectFailed
from .cgroup import Cgroup, read_control_file, write_control_file

# Processes that fork while they are moved; each pass finds those that the last one missed.
_PASSES = 100


def enable(cgroup: Cgroup) -> None:
    """Give the cgroup a set of CPUs, which allows all of them at first. Does nothing on a host without the controller.

    Raises OSError.
    """
    directory = cgroup.cpuset_directory
    if directory is None:
        cgroup.enable_controllers("cpuset")
        return
    # A new set of version 1 is empty, and nothing can join it.
    parent, top = os.path.dirname(directory), directory[: -len(cgroup.path) - 1]
    for made, like in ((parent, top), (directory, parent)):
        os.makedirs(made, exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if made == parent or not read_control_file(os.path.join(made, name)).strip():
                write_control_file(os.path.join(made, name), read_control_file(os.path.join(like, name)))


def is_enabled(cgroup: Cgroup) -> bool:
    """Return whether the cgroup has a set of CPUs."""
    path, _ = setting(cgroup, "0")
    return path is not None and os.path.exists(path)


def setting(cgroup: Cgroup, cpus: str) -> tuple[str | None, str]:
    """Return the file of the set and its content for `cpus`, "" for all. The file exists only when it is enabled."""
    path, in_v1 = cgroup.control_file("cpuset", "cpuset.cpus", "cpuset.cpus")
    if cpus or not in_v1 or path is None:
        # In version 2 an empty line means those of the parent.
        return path, cpus or "\n"
    above = os.path.join(os.path.dirname(os.path.dirname(path)), "cpuset.cpus")
    with contextlib.suppress(FileNotFoundError):
        return path, read_control_file(above).strip()
    return path, "\n"


def move_processes(cgroup: Cgroup) -> None:
    """Move the cgroup's processes to its set in version 1, which was created after them. Raises EffectFailed."""
    directory = cgroup.cpuset_directory
    if directory is None:
        return
    procs = os.path.join(directory, "cgroup.procs")
    for _ in range(_PASSES):
        left = set(cgroup.processes()) - {int(pid) for pid in read_control_file(procs).split()}
        if not left:
            return
        for pid in left:
            # It has ended meanwhile.
            with contextlib.suppress(ProcessLookupError):
                write_control_file(procs, str(pid))
    raise EffectFailed(
        f"{os.path.basename(cgroup.path)}: its processes fork too fast to change their cpuset",
        "stop the container, and start it again",
    )


def online() -> str:
    """Return the list of the host's CPUs that are in use."""
    return read_control_file("/sys/devices/system/cpu/online").strip()
