# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of conductor_container that are not stored: they say what this task does with the container."""

from __future__ import annotations

from collections.abc import Mapping

from ..._engine.option import LIVE, RECREATE, Option
from .container import applies, options

# States in which the container runs afterwards.
RUNNING = ("started", "restarted")


def _names(when: str, last: str = "and") -> str:
    """Options whose changes take effect at the time `when`, for the documentation."""
    names = [f"O({name})" for name in options() if name != "name" and applies(name) == when]
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


STATE = Option(
    "str",
    (
        "V(present) creates the container. A container that exists stays running or stopped.",
        "V(started) also starts it. If its command has exited, it is started again, with its data.",
        "V(restarted) starts it, and stops it before that if it runs, each time.",
        "V(stopped) stops it and keeps its data.",
        "V(absent) stops it and deletes it with its data.",
    ),
    choices=("present", "started", "restarted", "stopped", "absent"),
    default="started",
)
_REQUEST = {
    "restart": Option(
        "bool",
        (
            "Allow to restart a running container if a changed option requires it. It keeps its data, network and "
            "peers. Without it, the task fails and says which options differ.",
            f"Changes of {_names(LIVE)} take effect at once. All others require a restart, or O(recreate).",
        ),
        default=False,
    ),
    "recreate": Option(
        "bool",
        (
            f"Allow to create the container anew if {_names(RECREATE, 'or')} changes. All data in its root file "
            "system is lost. Its mounts, network and peers stay.",
        ),
        default=False,
    ),
    "force": Option(
        "bool",
        ("With O(state=absent), remove the container even if its C(container.json) is damaged or missing.",),
        default=False,
    ),
    "detach": Option(
        "bool",
        (
            "With O(state=started) or O(state=restarted), V(false) waits until the command has exited, and returns its "
            "exit status and output in RV(rc) and RV(stdout). The task fails if the exit status is not 0. Other tasks "
            "can stop the container meanwhile.",
            "Requires O(restart_policy=no). Mutually exclusive with O(wait). In check mode nothing is run.",
        ),
        default=True,
    ),
    "wait": Option(
        "raw",
        (
            "Command that is run inside again and again until it exits with 0: a list of the program and its "
            "arguments, or a string that is split like a shell command.",
            "Requires O(state=started) or O(state=restarted). In check mode nothing is waited for.",
        ),
    ),
    "network": Option(
        "dict",
        (
            "Network of the container, with the options of M(conductor.containers.conductor_network). V({}) connects "
            "it to its host. It exists before the command is started.",
            "If it is not set, a network that the container has stays as it is.",
        ),
    ),
    "peers": Option(
        "list",
        (
            "Containers that this one may call, each a name, or a dictionary with the keys V(peer) and V(ports), which "
            "defaults to every port.",
            "The list is complete: other peers that this container may call are removed. If it is not set, they stay.",
        ),
        elements="raw",
    ),
    "wait_timeout": Option("float", ("Seconds after which O(wait) gives up and the task fails.",), default=60),
}


def module_options() -> Mapping[str, Option]:
    """All options of conductor_container, in the order of its documentation."""
    spec = dict(options())
    name = spec.pop("name")
    return {"name": name, "state": STATE, **spec, **_REQUEST}
