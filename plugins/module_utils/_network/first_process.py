# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root directory of a running container, never that of anybody else."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator

from .._linux.processes import ProcessId
from .._model.layout import ContainerPaths


@contextlib.contextmanager
def root_of(paths: ContainerPaths) -> Iterator[int | None]:
    """A descriptor of the container's root directory, or None where it does not run."""
    process = _first_process(paths)
    pidfd = process.open() if process is not None else None
    if process is None or pidfd is None:
        yield None
        return
    root = None
    try:
        # A run state that is wrong must not make us write into the host's own /etc.
        if _is_inside(process.pid, paths.netns):
            with contextlib.suppress(FileNotFoundError):
                root = os.open(f"/proc/{process.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        yield root
    finally:
        os.close(pidfd)
        if root is not None:
            os.close(root)


def _first_process(paths: ContainerPaths) -> ProcessId | None:
    try:
        with open(paths.run_state, "rb") as file:
            state = json.load(file)
        return ProcessId(int(state["pid"]), int(state["start_time"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _is_inside(pid: int, netns: str) -> bool:
    """Whether the process is in the container's network namespace, and not in our mount namespace."""
    try:
        return os.path.samestat(os.stat(f"/proc/{pid}/ns/net"), os.stat(netns)) and not os.path.samestat(
            os.stat(f"/proc/{pid}/ns/mnt"), os.stat("/proc/self/ns/mnt")
        )
    except FileNotFoundError:
        return False
