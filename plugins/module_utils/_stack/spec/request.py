# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of conductor_stack, and of one entry of its option containers, as users write them. stack.py parses them."""

from __future__ import annotations

from collections.abc import Mapping

from ..._container.spec.container import options as container_options
from ..._container.spec.request import module_options as container_module_options
from ..._engine.option import Option
from ..._network.spec.request import IN_PLACE

CONDITIONS = ("started", "ready", "completed")


def service_options() -> Mapping[str, Option]:
    """Options of an entry of `containers`. Those of a container have no default: not given means unchanged."""
    request = container_module_options()
    return {
        **{name: option for name, option in container_options().items() if name != "name"},
        **{name: request[name] for name in ("wait", "wait_timeout")},
        "network": Option("dict", ("Options of conductor_network.",), suboptions=IN_PLACE),
        **{name: Option(IN_PLACE[name].type, IN_PLACE[name].description, IN_PLACE[name].elements)
           for name in ("expose", "internet")},
        "peers": Option("list", ("Containers that may call each other.",), elements="raw"),
        "depends_on": Option("raw", ("Entries that are started before.",)),
        "count": Option("int", ("Number of equal containers.",)),
    }  # fmt: skip


MODULE_OPTIONS: Mapping[str, Option] = {
    "name": Option("str", ("Name of the stack, 1 to 63 letters, digits, C(-), C(_) and C(.).",), required=True),
    "state": Option(
        "str",
        (
            "V(present) creates the containers and their networks. Containers that exist stay running or stopped.",
            "V(started) also starts them.",
            "V(restarted) starts them, after it has stopped them if they run, each time.",
            "V(stopped) stops them and keeps their data.",
            "V(absent) stops them and deletes them with their data. O(containers) can be omitted.",
        ),
        choices=("present", "started", "restarted", "stopped", "absent"),
        default="started",
    ),
    "containers": Option(
        "dict",
        (
            "The containers of the stack. Each key is the name of a container, each value has its options.",
            "An entry takes the options of M(conductor.containers.conductor_container) that describe a container, and "
            "C(wait) and C(wait_timeout), with the same meaning.",
            "C(network) is a dictionary of options of M(conductor.containers.conductor_network). C(expose) and "
            "C(internet) can also be set without it. A container without C(network), C(expose), C(internet) and "
            "C(peers) has no network.",
            "C(peers) lists the containers that this one may call: names of entries, or of other containers of the "
            "host. A dictionary has the keys V(peer), V(ports), which defaults to every port, and V(direction). "
            "V(direction) is V(to), or for another entry of the stack V(both), which allows the reverse, too. The list "
            "is complete: other peers of the container are removed.",
            "C(depends_on) is a list of entries that are started before this one, and stopped after it. A dictionary "
            "adds a condition to each: V(started), V(ready) (its C(wait) has succeeded) or V(completed) (its command "
            "has exited with 0). Defaults to V(ready) for an entry with C(wait), and to V(started) for others.",
            "C(count) is the number of equal containers, called V(NAME-1), V(NAME-2) and so on. If the key has V({n}), "
            "the number is written there instead. C(peers) and C(depends_on) name all of them by the key.",
        ),
        default={},
    ),
    "defaults": Option(
        "dict",
        (
            "Options for each entry of O(containers) that does not set them.",
            "C(env) and C(labels) are merged by their keys.",
        ),
        default={},
    ),
    "images": Option(
        "list",
        (
            "Images to build before, each a dictionary of options of M(conductor.containers.conductor_image).",
            "Images that exist as described are left alone.",
        ),
        elements="dict",
        default=[],
    ),
    "labels": Option("dict", ("Labels of all containers of the stack.",), default={}),
    "prune": Option(
        "bool",
        (
            "Remove containers of this stack that are no longer listed, with their data.",
            "V(false) keeps them, with a warning.",
        ),
        default=False,
    ),
    "restart": Option(
        "bool",
        ("Allow to restart running containers if a changed option requires it. They keep their data.",),
        default=False,
    ),
    "recreate": Option(
        "bool",
        (
            "Allow to create containers anew if their image or user namespace changes. All data in their root file "
            "systems is lost.",
        ),
        default=False,
    ),
}  # fmt: skip
