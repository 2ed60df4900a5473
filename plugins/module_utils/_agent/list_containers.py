# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The containers of this host for the inventory plugin on a controller, as one JSON object."""

from __future__ import annotations

import json
import sys

from .._container.info import ContainerInfoCase
from .._engine.settings import Settings
from .._errors import ConductorError

# The facts for inventories. Other facts change often; conductor_container_info returns them.
_KEYS = (
    "name",
    "image",
    "state",
    "labels",
    "addresses",
    "hostname",
    "init",
    "restart_policy",
    "memory",
    "cpus",
    "error",
)


def print_containers() -> None:
    """Print {"containers": [...]}. Exits with a message and status 1 if the host's settings cannot be read."""
    try:
        found = ContainerInfoCase({"name": []}, Settings.load({})).observe()
    except ConductorError as error:
        sys.exit(str(error))
    json.dump({"containers": [{key: each[key] for key in _KEYS if key in each} for each in found]}, sys.stdout)
