# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that outlives a module run: one zip file of our own sources, put on the host under a name with its hash."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

from ..._engine import program_zip
from ..._engine.paths import LIBRARY_DIR
from ..._kernel.files.atomic_write import write_atomic
from ..._kernel.processes import is_argument

# What starting and supervising needs, and with it what is in the same folders.
_ROOMS = ("_errors.py", "_kernel/", "_engine/", "_image/", "_network/", "_container/")


# What nobody has started from for so long (seconds), nobody is just about to start from.
_UNUSED = 7 * 86400


def install_runtime() -> str:
    """Path of the runtime for the code that runs now, written unless it is there."""
    path = os.path.join(LIBRARY_DIR, f"conductor-{program_zip.fingerprint(_ROOMS)}.pyz")
    os.makedirs(LIBRARY_DIR, mode=0o755, exist_ok=True)
    lock = os.open(LIBRARY_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Containers are started at the same time, each under its own lock: nobody removes what another one looks at.
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            # Tells that it is in use.
            os.utime(path)
        except FileNotFoundError:
            write_atomic(path, program_zip.build(_ROOMS, "_container.supervisor.main"), mode=0o644)
            _remove_unused()
    finally:
        os.close(lock)
    return path


def _remove_unused() -> None:
    """Delete what other releases have left, but for what a supervisor runs or may start a container again from.

    A release that takes no lock may do so at the same time.
    """
    for name in os.listdir(LIBRARY_DIR):
        path = os.path.join(LIBRARY_DIR, name)
        if not (name.startswith("conductor-") and name.endswith(".pyz")):
            continue
        with contextlib.suppress(FileNotFoundError):
            if time.time() - os.stat(path).st_mtime > _UNUSED and not is_argument(path):
                os.unlink(path)
