# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found out once while Ansible runs: each task is a process of its own, which would find out all anew.

This is loaded by each task, and so it loads next to nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from ansible import constants as C


def found_once(name: str, find: Callable[[], Any]) -> Any:
    """What `find` returns, which JSON can tell. It is kept as `name` where Ansible has its temporary files."""
    kept = os.path.join(C.DEFAULT_LOCAL_TMP, f"conductor-{name}")
    try:
        with open(kept, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        found = find()
    # Where it cannot be kept it is found out again.
    with contextlib.suppress(OSError):
        with open(f"{kept}.{os.getpid()}", "w", encoding="utf-8") as file:
            json.dump(found, file)
        os.replace(file.name, kept)
    return found


def served() -> tuple[str, str]:
    """Directory of our bundle on a host, and the socket of its agent: another bundle has others."""
    program, socket = found_once("served", _served)
    return program, socket


def _served() -> tuple[str, str]:
    from ansible_collections.conductor.containers.plugins.plugin_utils.host_bundle import served_paths

    return served_paths()
