# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Warnings about options of a container that have no effect on this host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._engine.paths import BOOT_SERVICES
from .limits import cpu_warnings
from .spec.container import ContainerSpec

_BOOT_OPTIONS = ("autostart", "restart_policy")


def container_warnings(present: ContainerSpec | None, changes: Mapping[str, Any]) -> list[str]:
    """Return the warnings about a task that gives a container, None if it does not exist, the options `changes`."""
    return [*_boot_warnings(present, changes), *cpu_warnings(changes["name"], changes.get("cpus", 0))]


def _boot_warnings(present: ContainerSpec | None, changes: Mapping[str, Any]) -> list[str]:
    """Return a warning if the task asks for a start at boot, also by a restart policy, and no service does that."""
    given = {option: changes[option] for option in _BOOT_OPTIONS if option in changes}
    spec = replace(present or ContainerSpec(changes["name"], ""), **given)
    if not given or not spec.starts_at_boot or any(map(os.path.exists, BOOT_SERVICES)):
        return []
    reason = "autostart" if spec.autostart else f"restart_policy={spec.restart_policy}"
    return [
        f"container {spec.name}: nothing starts it when the host boots, in spite of {reason}. "
        "Prepare the host with role conductor.containers.host, or set autostart=false"
    ]
