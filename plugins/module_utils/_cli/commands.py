# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of the host command: each builds a use case, performs it and prints its result."""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from .._container import store
from .._engine.container_records import require_one_container_dir
from .._engine.engine import UseCase, check, perform
from .._engine.names import STACK_LABEL, parse_name
from .._engine.paths import ContainerPaths, ImagePaths
from .._engine.settings import Settings
from .._engine.text_table import table
from .._errors import Damaged, EffectFailed, InvalidInput, container_not_found, one_line
from .output import local_time, print_json, size

# Loaded only by its verbs, since it imports nearly all code.
if TYPE_CHECKING:
    from .._stack.boot import Outcomes
    from .._stack.use_case import StackCase


def _settings() -> Settings:
    settings = Settings.load({})
    require_one_container_dir(settings.container_dir)
    return settings


def _change(args: Namespace, case: UseCase) -> dict:
    """Perform `case`, or check it if --check is set, and return its result."""
    return check(case) if args.check else perform(case)


def _show_change(args: Namespace, result: dict, otherwise: str = "nothing to do") -> int:
    """Print the actions, or `otherwise` if nothing was done, and the warnings. Return exit status 0."""
    if args.json:
        print_json({key: value for key, value in result.items() if key != "diff" or args.diff})
        return 0
    would = "would " if args.check else ""
    for line in [would + action for action in result["actions"]] or [otherwise]:
        print(one_line(line))
    for warning in result.get("warnings", ()):
        _warn(warning)
    return 0


def _look(case: UseCase) -> dict:
    """Return the result of a use case that changes nothing."""
    return {key: value for key, value in perform(case).items() if key != "diff"}


def _warn(text: str) -> None:
    print(f"conductor: {one_line(text)}", file=sys.stderr, flush=True)


def _show_progress(args: Namespace, case: StackCase) -> None:
    """Print the progress of `case` to standard error if that is a terminal."""
    if args.check or not sys.stderr.isatty():
        return

    def echo(line: str) -> None:
        # A terminal that is closed must not end the run.
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)

    case.progress.echo = echo


def _existing(settings: Settings, name: str) -> str:
    """Return `name` if a container has it. Raises NotFound."""
    if store.read_spec(ContainerPaths.of(settings.container_dir, parse_name(name, "NAME"))) is None:
        raise container_not_found(name, "list them with: conductor ps")
    return name


def _image_case(settings: Settings, args: Namespace, state: str, force: bool = False) -> UseCase:
    from .._build.use_case import ImageCase

    params = {"name": args.name, "state": state, "builder": "auto", "source": None, "force": force, "archive": None}
    return ImageCase(params, settings)


def _container_case(settings: Settings, args: Namespace, state: str, **more: object) -> UseCase:
    from .._container.use_case import ContainerCase

    return ContainerCase({"name": args.name, "state": state, "wait_timeout": None, **more}, settings)


def do_build(args: Namespace) -> int:
    from .._build.staging import log_file

    settings = _settings()
    case = _image_case(settings, args, "present")
    exists = os.path.exists(ImagePaths.of(settings.image_dir, args.name).spec)
    if not exists and not args.check and sys.stderr.isatty():
        _warn(f"this takes some minutes; the builder's output is written to {log_file(settings.image_dir, args.name)}")
    return _show_change(args, _change(args, case))


def do_images(args: Namespace) -> int:
    from .._image.info import ImageInfoCase

    result = _look(ImageInfoCase({"name": None}, _settings()))
    if args.json:
        print_json(result)
        return 0
    rows = [
        (
            i["name"],
            i["base"]["name"] if i.get("base") else "",
            size(i["size"]) if "size" in i else "",
            local_time(i.get("created")),
            " ".join([*i["used_by"], *(f"{name} (image)" for name in i["base_of"])]),
        )
        for i in result["images"]
    ]
    _print_table(
        ("NAME", "BASE", "SIZE", "CREATED", "USED BY"), rows, "no images; create one with: conductor build NAME"
    )
    _warn_of_errors(result["images"])
    return 0


def do_rmi(args: Namespace) -> int:
    result = _change(args, _image_case(_settings(), args, "absent", args.force))
    return _show_change(args, result, f"image {args.name} does not exist")


def do_run(args: Namespace) -> int:
    settings = _settings()
    command = {} if args.command is None else {"command": args.command}
    result = _change(args, _container_case(settings, args, "started", image=args.image, **command))
    _show_change(args, result, "it is already running")
    on_terminal = os.isatty(0) and os.isatty(1)
    if args.check or args.json or args.detach or args.command or not on_terminal:
        return 0
    _warn(
        f"opening a shell in {args.name}; the container keeps running after you exit, and "
        f"`conductor stop {args.name}` deletes it"
    )
    return _exec_live(settings, args.name)


def do_start(args: Namespace) -> int:
    settings = _settings()
    _existing(settings, args.name)
    return _show_change(args, _change(args, _container_case(settings, args, "started")), "it is already running")


def do_stop(args: Namespace) -> int:
    settings = _settings()
    if args.keep:
        _existing(settings, args.name)
        return _show_change(args, _change(args, _container_case(settings, args, "stopped")), "it is not running")
    result = _change(args, _container_case(settings, args, "absent", force=args.force))
    return _show_change(args, result, f"container {args.name} does not exist")


def do_up(args: Namespace) -> int:
    from .._stack.use_case import build
    from .stack_file import read_stack_file

    settings = _settings()
    params, warnings = read_stack_file(args.file, args.name)
    for text in warnings:
        _warn(text)
    allowed = {name: True for name in ("prune", "restart", "recreate") if getattr(args, name)}
    case = build({**params, **allowed}, settings)
    _show_progress(args, case)
    return _show_change(args, _change(args, case), f"stack {params['name']} is up to date")


def do_down(args: Namespace) -> int:
    from .._stack.use_case import build

    case = build({"name": args.name, "state": "absent"}, _settings())
    _show_progress(args, case)
    return _show_change(args, _change(args, case), f"stack {args.name} has no containers")


def do_exec(args: Namespace) -> int:
    settings = _settings()
    options = {"env": _environment(args.env), "chdir": args.workdir, "user": args.user}
    if not args.check and not args.json:
        return _exec_live(settings, args.name, args.command, **options)
    from .._container.exec.use_case import ExecCase

    # With --json all output is part of the document.
    stdin = None if args.check or os.isatty(0) else sys.stdin.buffer.read().decode("utf-8", errors="surrogateescape")
    case = ExecCase(exec_params(args.name, args.command, stdin=stdin, stdin_add_newline=False, **options), settings)
    try:
        return _show_change(args, _change(args, case))
    except EffectFailed as error:
        status = error.facts.get("rc")
        if not isinstance(status, int):
            raise
        print_json({"failed": True, "msg": str(error), **error.facts})
        return status if status >= 0 else 128 - status


def exec_params(name: str, argv: list[str] | None, **more: object) -> dict:
    """Return parameters of conductor_exec."""
    unset = dict.fromkeys(("cmd", "stdin", "env", "chdir", "user", "creates", "removes", "timeout"))
    return {**unset, "container": name, "argv": argv or ["/bin/bash"], "detach": False, **more}


def _exec_live(settings: Settings, name: str, argv: list[str] | None = None, **options: object) -> int:
    """Run a command on the caller's terminal or streams, and return its exit status."""
    from .exec_live import LiveExec

    case = LiveExec(exec_params(name, argv, **options), settings)
    return perform(case)["status"]


def _environment(given: list[str]) -> dict[str, str]:
    for text in given:
        if "=" not in text:
            raise InvalidInput(f"--env {text!r} is not NAME=VALUE", "use the form -e NAME=VALUE")
    return dict(text.split("=", 1) for text in given)


def do_ps(args: Namespace) -> int:
    result = _look(_containers(_settings()))
    if args.stack is not None:
        stack = parse_name(args.stack, "--stack")
        # The stack of a damaged container is not known.
        result["containers"] = [
            c for c in result["containers"] if "labels" not in c or c["labels"].get(STACK_LABEL) == stack
        ]
    if args.json:
        print_json(result)
        return 0
    rows = [
        (c["name"], _state(c), c.get("image"), " ".join(c.get("addresses") or ()), _command(c), _since(c))
        for c in result["containers"]
    ]
    headings = ("NAME", "STATE", "IMAGE", "ADDRESSES", "COMMAND", "SINCE")
    empty = "no containers; create one with: conductor run IMAGE NAME"
    _print_table(headings, rows, empty if args.stack is None else f"stack {args.stack} has no containers")
    _warn_of_errors(result["containers"])
    return 0


def do_logs(args: Namespace) -> int:
    settings = _settings()
    if args.json:
        (container,) = _one_container(settings, args.name)["containers"]
        # A shared log must not reveal secrets in env.
        print_json({"containers": [{key: value for key, value in container.items() if key != "env"}]})
        return 0
    from .logs import print_log

    print_log(settings, _existing(settings, args.name), args.follow)
    return 0


def do_addnetwork(args: Namespace) -> int:
    from .._network.use_case import NetworkCase

    settings = _settings()
    params = {"container": args.name, "state": "present", "internet": args.internet, "expose": args.expose}
    return _show_change(args, _change(args, NetworkCase(params, settings)))


def do_peer(args: Namespace) -> int:
    from .._network.peer_use_case import PeerCase

    params = {"container": args.name, "peer": args.peer, "state": "present", "ports": None, "direction": "both"}
    return _show_change(args, _change(args, PeerCase(params, _settings())))


def do_reconcile(args: Namespace) -> int:
    from .._network.use_case import ReconcileCase

    return _show_change(args, _change(args, ReconcileCase({}, _settings())))


def do_boot(args: Namespace) -> int:
    from .._stack.boot import boot

    return _show_outcomes(args, boot(_settings(), args.timeout), "started", "is already running", "nothing to start")


def do_shutdown(args: Namespace) -> int:
    from .._stack.boot import shutdown

    return _show_outcomes(args, shutdown(_settings(), args.timeout), "stopped", "is not running", "nothing to stop")


def _show_outcomes(args: Namespace, outcomes: Outcomes, done: str, unchanged: str, otherwise: str) -> int:
    """Print a line for each container, or `otherwise`. Raises EffectFailed if some have failed."""
    states = {**dict.fromkeys(outcomes.done, done), **dict.fromkeys(outcomes.unchanged, unchanged)}
    failed = {name: str(error) for name, error in outcomes.failed.items()}
    if not args.json:
        for line in [f"{name} {state}" for name, state in states.items()] or ([] if failed else [otherwise]):
            print(line, flush=True)
        for error in failed.values():
            _warn(error)
    if failed:
        names = ", ".join(sorted(failed))
        raise EffectFailed(f"not {done}: {names}", "see its error above", containers=states, failed_containers=failed)
    if args.json:
        print_json({"changed": bool(outcomes.done), "containers": states})
    return 0


def do_info(args: Namespace) -> int:
    from .._image.info import ImageInfoCase
    from .._network.info import NetworkInfoCase
    from .info_view import of_container, of_host

    settings = _settings()
    result = _look(_containers(settings)) if args.name is None else _one_container(settings, args.name)
    result.update(_look(NetworkInfoCase({"name": [args.name] if args.name else None}, settings)))
    if args.name is None:
        result.update(_look(ImageInfoCase({"name": None}, settings)))
    if args.json:
        print_json(result)
    else:
        print("\n".join(of_host(result) if args.name is None else of_container(result)))
    return 0


def do_graph(args: Namespace) -> int:
    from .._network.info import NetworkInfoCase
    from .graph import draw
    from .svg import render_svg

    networks = _look(NetworkInfoCase({"name": None}, _settings()))["networks"]
    text = render_svg(draw(networks, "dot")) if args.format == "svg" else draw(networks, args.format)
    if args.json:
        print_json({"graph": text})
    else:
        print(text)
    return 0


def do_completion(args: Namespace) -> int:
    from .completion import BASH, names

    print(BASH if args.what == "bash" else "\n".join(names(args.what)), end="" if args.what == "bash" else "\n")
    return 0


def _containers(settings: Settings, names: list[str] | None = None) -> UseCase:
    from .._container.info import ContainerInfoCase

    return ContainerInfoCase({"name": names}, settings)


def _one_container(settings: Settings, name: str) -> dict:
    """Return the result of conductor_container_info for one container. Raises NotFound, Damaged."""
    result = _look(_containers(settings, [name]))
    if not result["containers"]:
        raise container_not_found(name, "list them with: conductor ps")
    if result["containers"][0]["state"] == "damaged":
        raise Damaged(result["containers"][0]["error"])
    return result


def _print_table(headings: tuple[str, ...], rows: list[tuple], empty: str) -> None:
    print("\n".join(table(headings, rows)) if rows else empty)


def _warn_of_errors(entries: list[dict]) -> None:
    for entry in entries:
        if "error" in entry:
            _warn(f"{entry['name']}: {entry['error']}")


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
