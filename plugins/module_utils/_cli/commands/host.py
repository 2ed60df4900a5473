# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs for the host as a whole."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..._engine.names import STACK_LABEL, parse_name
from ..._engine.settings import Settings
from ..._errors import Conflict, EffectFailed, InvalidInput, one_line
from ..output import local_time, print_json, size
from .common import (
    containers_case,
    load_settings,
    look,
    named_containers,
    one_container,
    print_table,
    warn,
    warn_of_errors,
)

# Loaded only by its verbs, since it imports nearly all code.
if TYPE_CHECKING:
    from ..._stack.boot import Outcomes


def do_ps(args: Namespace) -> int:
    result = look(containers_case(load_settings()))
    if args.stack is not None:
        stack = parse_name(args.stack, "--stack")
        # The stack of a damaged container is not known.
        result["containers"] = [
            c for c in result["containers"] if "labels" not in c or c["labels"].get(STACK_LABEL) == stack
        ]
    if args.json:
        print_json(result)
        return 0
    if args.quiet or args.format is not None:
        line = "{name}" if args.quiet else args.format.replace("\\t", "\t")
        _require_facts(line, result["containers"])
        for container in result["containers"]:
            print(_formatted(line, container))
        warn_of_errors(result["containers"])
        return 0
    rows = [
        (c["name"], _state(c), c.get("image"), " ".join(c.get("addresses") or ()), _command(c), _since(c))
        for c in result["containers"]
    ]
    headings = ("NAME", "STATE", "IMAGE", "ADDRESSES", "COMMAND", "SINCE")
    empty = "no containers; create one with: conductor run IMAGE NAME"
    print_table(headings, rows, empty if args.stack is None else f"stack {args.stack} has no containers")
    warn_of_errors(result["containers"])
    return 0


_FACT = re.compile(r"\{(\w+)\}")


def _require_facts(line: str, containers: list[dict]) -> None:
    """Raise InvalidInput if `line` has a fact that no container has. Damaged containers have few of them."""
    known = {"error"}.union(*containers)
    for name in _FACT.findall(line):
        if name not in known and any(container["state"] != "damaged" for container in containers):
            raise InvalidInput(f"--format: there is no fact {name!r}", "see conductor inspect for their names")


def _formatted(line: str, container: dict) -> str:
    """Return `line` with the facts of the container for {name} and others, empty if it does not have them."""

    def fact(match: re.Match) -> str:
        value = container.get(match[1])
        text = " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        return one_line(text)

    return _FACT.sub(fact, line)


def do_stats(args: Namespace) -> int:
    found = _running_containers(load_settings(), args.names)
    if args.json:
        print_json({"containers": [{"name": c["name"], "usage": c["usage"]} for c in found]})
        return 0
    rows = [
        (
            c["name"],
            _number(c["usage"].get("memory"), size),
            size(c["memory"]) if c["memory"] else "",
            _number(c["usage"].get("cpu"), lambda nanoseconds: f"{nanoseconds / 1e9:.1f} s"),
            _number(c["usage"].get("pids"), str),
        )
        for c in found
    ]
    print_table(("NAME", "MEMORY", "LIMIT", "CPU TIME", "PROCESSES"), rows, "no container is running")
    return 0


def _running_containers(settings: Settings, names: list[str]) -> list[dict]:
    """Return the facts of the containers `names`, by default of all that run. Raises NotFound, Damaged, Conflict."""
    if not names:
        return [c for c in look(containers_case(settings))["containers"] if c.get("usage")]
    found = named_containers(settings, names)
    for container in found:
        if container["usage"] is None:
            raise Conflict(f"container {container['name']} is not running", f"run conductor start {container['name']}")
    return found


def _number(value: int | None, shown: Callable[[int], str]) -> str:
    return "" if value is None else shown(value)


def do_info(args: Namespace) -> int:
    from ..._image.info import ImageInfoCase
    from ..._network.info import NetworkInfoCase
    from ..info_view import of_container, of_host

    settings = load_settings()
    result = look(containers_case(settings)) if args.name is None else one_container(settings, args.name)
    result.update(look(NetworkInfoCase({"name": [args.name] if args.name else None}, settings)))
    if args.name is None:
        result.update(look(ImageInfoCase({"name": None}, settings)))
    if args.json:
        print_json(result)
    else:
        print("\n".join(of_host(result) if args.name is None else of_container(result)))
    return 0


def do_boot(args: Namespace) -> int:
    from ..._stack.boot import boot

    return _show_outcomes(
        args, boot(load_settings(), args.timeout), "started", "is already running", "nothing to start"
    )


def do_shutdown(args: Namespace) -> int:
    from ..._stack.boot import shutdown

    return _show_outcomes(args, shutdown(load_settings(), args.timeout), "stopped", "is not running", "nothing to stop")


def _show_outcomes(args: Namespace, outcomes: Outcomes, done: str, unchanged: str, otherwise: str) -> int:
    """Print a line for each container, or `otherwise`. Raises EffectFailed if some have failed."""
    states = {**dict.fromkeys(outcomes.done, done), **dict.fromkeys(outcomes.unchanged, unchanged)}
    failed = {name: str(error) for name, error in outcomes.failed.items()}
    if not args.json:
        for line in [f"{name} {state}" for name, state in states.items()] or ([] if failed else [otherwise]):
            print(line, flush=True)
        for error in failed.values():
            warn(error)
    if failed:
        names = ", ".join(sorted(failed))
        raise EffectFailed(f"not {done}: {names}", "see its error above", containers=states, failed_containers=failed)
    if args.json:
        print_json({"changed": bool(outcomes.done), "containers": states})
    return 0


def do_completion(args: Namespace) -> int:
    from .. import completion

    if args.what in ("bash", "zsh", "fish"):
        print(completion.script(args.what), end="")
        return 0
    found = completion.candidates(args.command or [""]) if args.what == "words" else completion.names(args.what)
    print("\n".join(found))
    return 0


def _state(container: dict) -> str:
    code = container.get("exit_code")
    return container["state"] if code is None else f"{container['state']} ({code})"


def _command(container: dict) -> str:
    import shlex

    # One line per container, as in docker and podman; `info` shows the whole command.
    return one_line(shlex.join(container.get("command") or ()), 30)


def _since(container: dict) -> str:
    running = container["state"] == "running"
    return local_time(container.get("started_at" if running else "finished_at"))
