# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of conductor_peer as users write them. peers.py and peer_use_case.py parse them."""

from __future__ import annotations

from collections.abc import Mapping

from ..._engine.option import Option

MODULE_OPTIONS: Mapping[str, Option] = {
    "container": Option("str", ("Name of the first container, the caller if O(direction=to).",), required=True),
    "peer": Option("str", ("Name of the second container.",), required=True),
    "state": Option(
        "str",
        (
            "V(present) allows connections, V(absent) forbids them.",
            "With V(absent) established connections are cut, too.",
        ),
        choices=("present", "absent"),
        default="present",
    ),
    "ports": Option(
        "list",
        (
            "Ports of the called container to allow, such as V(80/tcp), V(8000-8010/udp) or V(80) (TCP).",
            "Defaults to every port and every protocol.",
        ),
        elements="str",
    ),
    "direction": Option(
        "str",
        (
            "V(both) applies to connections in both directions. The order of O(container) and O(peer) does not matter.",
            "V(to) applies to connections from O(container) to O(peer). The other direction is not changed.",
        ),
        choices=("both", "to"),
        default="both",
    ),
}
