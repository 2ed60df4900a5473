# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the running containers of an entry are replaced by changed ones. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._container.spec.values import parse_argv
from ..._engine.option import Option
from ..._errors import InvalidInput

START_FIRST, STOP_FIRST, ROLLBACK = "start-first", "stop-first", "rollback"
# Marks the container that answers in place of those that are updated; the value is the key of their entry.
STAND_IN_LABEL = "conductor.stand-in"
_LONGEST_NAME = 63
OPTIONS: Mapping[str, Option] = {
    "order": Option(
        "str",
        (
            "V(stop-first) stops a container before its replacement starts.",
            "V(start-first) starts one more container with the new options first. It answers in place of each "
            "container until that one is replaced and ready.",
        ),
        choices=(STOP_FIRST, START_FIRST),
        default=STOP_FIRST,
    ),
    "parallel": Option("int", ("Number of containers that are replaced at the same time.",), default=1),
    "wait": Option("raw", ("Command that succeeds in a container that is ready.",)),
    "on_failure": Option(
        "str",
        (
            "V(stop) leaves the containers that are not replaced yet as they are.",
            "V(rollback) also gives the replaced containers their former options again.",
        ),
        choices=("stop", ROLLBACK),
        default="stop",
    ),
}


@dataclass(frozen=True)
class Update:
    """How one entry is updated. `stand_in`: name of the container that answers meanwhile, or "" for none."""

    members: tuple[str, ...]
    stand_in: str = ""
    parallel: int = 1
    wait: tuple[str, ...] = ()
    rolls_back: bool = False

    @property
    def order(self) -> str:
        return START_FIRST if self.stand_in else STOP_FIRST


def parse_update(key: str, entry: Mapping[str, Any], members: tuple[str, ...]) -> Update | None:
    """Return the option `update` of an entry, or None if all its containers are replaced together.

    Raises InvalidInput.
    """
    given = entry["update"]
    if given is None:
        return None
    if given["parallel"] < 1:
        raise InvalidInput(f"update: parallel {given['parallel']} is out of range", "set it to 1 or more")
    wait = given["wait"] or entry["wait"]
    stand_in = stand_in_name(key) if given["order"] == START_FIRST else ""
    return Update(
        members,
        stand_in,
        given["parallel"],
        parse_argv(wait, "update.wait") if wait else (),
        given["on_failure"] == ROLLBACK,
    )


def stand_in_name(key: str) -> str:
    """Return the name of the container that answers in place of those of the entry `key`."""
    base = key.replace("{n}", "").strip("-_.") or "container"
    return f"{base[: _LONGEST_NAME - len('-update')]}-update"
