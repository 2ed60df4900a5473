# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option update from the key deploy.update_config of a service.

https://github.com/compose-spec/compose-spec/blob/main/deploy.md#update_config.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..update import OPTIONS
from .node import Node

# The name of the key among those of the service.
UPDATE_CONFIG = "deploy.update_config"
# More than a stack can have.
_ALL = 1 << 16
_ON_FAILURE = {"pause": "stop", "rollback": "rollback"}


def parse_update_config(fields: Mapping[str, Node], _context: object) -> dict[str, Any]:
    """Return the option update, or nothing without the key. Raises Refused."""
    node = fields.get(UPDATE_CONFIG)
    if node is None:
        return {}
    found: dict[str, Any] = {}
    for key, one in node.fields().items():
        if key == "parallelism":
            if one.whole() < 0:
                raise one.refused(f"{one.whole()} is out of range", "set it to 0 or more")
            # 0 is all at the same time.
            found["parallel"] = one.whole() or _ALL
        elif key == "order":
            if one.text() not in OPTIONS["order"].choices:
                raise one.refused(f"{one.value!r} is invalid", f"use {' or '.join(OPTIONS['order'].choices)}")
            found["order"] = one.text()
        elif key == "failure_action":
            if one.text() not in _ON_FAILURE:
                raise one.refused(f"{one.value!r} is not supported", f"use {' or '.join(_ON_FAILURE)}")
            found["on_failure"] = _ON_FAILURE[one.text()]
        else:
            raise one.refused("not supported", "omit it: the healthcheck decides when the next container follows")
    return {"update": found}
