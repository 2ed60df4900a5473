# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cache for one run of Ansible. Each task is a process of its own, and would compute the values again.

Each task loads this file, so it imports as little as possible.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from ansible import constants as C
from ansible_collections.conductor.containers.plugins.plugin_utils.private_file import write_private


def cached_value(name: str, find: Callable[[], Any]) -> Any:
    """Return the cached value `name`, else compute it with `find` and cache it in Ansible's temporary directory.

    The value must be serializable as JSON.
    """
    kept = os.path.join(C.DEFAULT_LOCAL_TMP, f"conductor-{name}")
    try:
        with open(kept, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        found = find()
    # If the file cannot be written, the next task computes the value again.
    with contextlib.suppress(OSError):
        write_private(kept, json.dumps(found))
    return found


def agent_paths() -> tuple[str, str]:
    """Return the directory of the bundle on a host, and the socket of its agent. They depend on the bundle's digest."""
    program, socket = cached_value("served", _served)
    return program, socket


def _served() -> tuple[str, str]:
    from ansible_collections.conductor.containers.plugins.plugin_utils.host_bundle import find_agent_paths

    return find_agent_paths()
