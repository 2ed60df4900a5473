# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that outlives a module run: one zip file of our own sources, put on the host under a name with its hash."""

from __future__ import annotations

import os

from .. import _zipapp
from .._linux.files import write_atomic
from .._model.layout import LIBRARY_DIR

# Not called here: Ansible's payload holds only what a module imports, and so would lack what the runtime begins with.
from .main import main  # noqa: F401

# What starting and supervising needs; use cases and builders stay out, and with them what changes most.
_ROOMS = ("_errors.py", "_zipapp.py", "_linux/", "_model/", "_store/", "_plan/", "_network/", "_container/")


def install_runtime() -> str:
    """Path of the runtime for the code that runs now, written unless it is there."""
    path = os.path.join(LIBRARY_DIR, f"conductor-{_zipapp.fingerprint(_ROOMS)}.pyz")
    if not os.path.exists(path):
        os.makedirs(LIBRARY_DIR, mode=0o755, exist_ok=True)
        write_atomic(path, _zipapp.build(_ROOMS, "_container.main"), mode=0o644)
    return path
