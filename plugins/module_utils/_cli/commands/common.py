# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions for all verbs: settings, the run of a use case, and its output."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable

from ..._engine.container_records import require_one_container_dir
from ..._engine.engine import UseCase, check, perform
from ..._engine.settings import Settings
from ..._engine.text_table import table
from ..._errors import ConductorError, Damaged, container_not_found, name_in_message, one_line
from ..exit_status import status_of
from ..hints import in_own_words, use_own_words
from ..output import print_json


def load_settings() -> Settings:
    settings = Settings.load({})
    require_one_container_dir(settings.container_dir)
    return settings


def change(args: Namespace, case: UseCase) -> dict:
    """Perform `case`, or check it if --check is set, and return its result."""
    return check(case) if args.check else perform(case)


def show_change(args: Namespace, result: dict, otherwise: str = "nothing to do", with_actions: bool = True) -> int:
    """Print the actions, or `otherwise` if nothing was done, and the warnings. Return exit status 0."""
    if args.json:
        print_json({key: value for key, value in result.items() if key != "diff" or args.diff})
        return 0
    would = "would " if args.check else ""
    for action in result["actions"] if with_actions else ():
        print(one_line(would + action))
    if not result["actions"]:
        print(one_line(otherwise))
    for warning in result.get("warnings", ()):
        warn(warning, args.verb)
    return 0


def for_each(args: Namespace, act: Callable[[str], dict], otherwise: str) -> int:
    """Perform `act` for each of the names, also after an error, and print the results. Returns the exit status.

    `act` takes a name and returns a result; `otherwise` is printed if it has done nothing, with {} for the name. Raises
    the error of a single name; otherwise errors are printed, and the status is that of the first one.
    """
    status, results = 0, {}
    for name in args.names:
        try:
            results[name] = act(name)
        except ConductorError as error:
            name_in_message(error, name)
            use_own_words(error, args.verb)
            if len(args.names) == 1:
                raise
            warn(str(error))
            results[name] = {"failed": True, "msg": str(error), **error.facts}
            status = status or status_of(error)
            continue
        if not args.json or len(args.names) == 1:
            show_change(args, results[name], otherwise.format(name))
    if args.json and len(args.names) > 1:
        print_json({"results": results})
    return status


def confirm(question: str) -> bool:
    """Ask on the terminal. Returns whether the answer is yes; True without a terminal."""
    if not (os.isatty(0) and os.isatty(2)):
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def look(case: UseCase) -> dict:
    """Return the result of a use case that changes nothing."""
    return {key: value for key, value in perform(case).items() if key != "diff"}


def warn(text: str, verb: str = "") -> None:
    """Print `text` to standard error, with hints for the user of `verb`."""
    print(f"conductor: {one_line(in_own_words(text, verb))}", file=sys.stderr, flush=True)


def containers_case(settings: Settings, names: list[str] | None = None) -> UseCase:
    from ..._container.info import ContainerInfoCase

    return ContainerInfoCase({"name": names}, settings)


def one_container(settings: Settings, name: str) -> dict:
    """Return the result of conductor_container_info for one container. Raises NotFound, Damaged."""
    result = look(containers_case(settings, [name]))
    if not result["containers"]:
        raise container_not_found(name, "list them with: conductor ps")
    if result["containers"][0]["state"] == "damaged":
        raise Damaged(result["containers"][0]["error"])
    return result


def named_containers(settings: Settings, names: list[str]) -> list[dict]:
    """Return the facts of the containers `names`. Raises NotFound, Damaged."""
    return [one_container(settings, name)["containers"][0] for name in names]


def networks_of(settings: Settings, names: list[str] | None = None) -> list[dict]:
    """Return the networks of conductor_network_info, and warn of drift. One with drift only lacks the other keys."""
    from ..._network.info import NetworkInfoCase

    networks = look(NetworkInfoCase({"name": names}, settings))["networks"]
    for network in networks:
        for drift in network["drift"]:
            warn(f"{network['container']}: {drift}")
    return networks


def print_table(headings: tuple[str, ...], rows: list[tuple], empty: str) -> None:
    print("\n".join(table(headings, rows)) if rows else empty)


def warn_of_errors(entries: list[dict]) -> None:
    for entry in entries:
        if "error" in entry:
            warn(f"{entry['name']}: {entry['error']}")
