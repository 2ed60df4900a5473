# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs for one container."""

from __future__ import annotations

import os
import sys
from argparse import Namespace

from ..._container import store
from ..._container.exec.running import running_container
from ..._container.facts import container_facts
from ..._container.spec.signals import parse_signal
from ..._engine.engine import UseCase, check, perform
from ..._engine.names import parse_name
from ..._engine.paths import ContainerPaths
from ..._engine.settings import Settings
from ..._errors import Conflict, EffectFailed, InvalidInput, container_not_found
from ..._kernel.run_program import require_program, run
from ..._kernel.terminate import send_signal
from ..exit_status import status_of
from ..logs import print_log
from ..output import print_json, shown
from .common import (
    change,
    confirm,
    for_each,
    load_settings,
    named_containers,
    networks_of,
    one_container,
    show_change,
    warn,
)


def do_run(args: Namespace) -> int:
    settings = load_settings()
    if args.rm:
        return _run_once(args, settings)
    result = change(args, _wanted_case(settings, args, "started"))
    show_change(args, result, "it is already running")
    if args.check or args.json or args.detach or args.command or args.init or not _on_terminal():
        return 0
    warn(
        f"opening a shell in {args.name}; the container keeps running after you exit, and "
        f"`conductor stop {args.name}` deletes it"
    )
    return _exec_live(settings, args.name)


def do_create(args: Namespace) -> int:
    return show_change(args, change(args, _wanted_case(load_settings(), args, "present")), "it exists already")


def _run_once(args: Namespace, settings: Settings) -> int:
    """Run the container until its command, or the shell, has ended, and delete it. Returns that exit status."""
    from ..auto_remove import Creation, EndingSignals, remove

    paths = ContainerPaths.of(settings.container_dir, parse_name(args.name, "NAME"))
    creation = Creation(_wanted_case(settings, args, "started"), paths)
    if args.check:
        return show_change(args, check(creation.as_use_case()))
    signals = EndingSignals()
    try:
        perform(creation.as_use_case())
        if args.command is None and _on_terminal():
            return _exec_live(settings, args.name)
        print_log(settings, args.name, follow=True)
        (container,) = one_container(settings, args.name)["containers"]
        return container["exit_code"] if container["exit_code"] is not None else status_of(EffectFailed(""))
    finally:
        # The first statement, so that no signal can come before it.
        signals.are_ignored = True
        if creation.identity:
            remove(settings, args.name, creation.identity)


def _wanted_case(settings: Settings, args: Namespace, state: str) -> UseCase:
    """Return the use case for the container that the options describe. Options that are not given stay."""
    given = {
        "command": args.command,
        "env": dict(args.env) if args.env else None,
        "mounts": args.volume,
        "memory": args.memory,
        # A command replaces the init of a container that exists.
        "init": True if args.init else (False if args.command else None),
        "restart_policy": args.restart,
        "network": _network(args),
    }
    params = {name: value for name, value in given.items() if value is not None}
    if "network" not in params:
        return _container_case(settings, args.name, state, image=args.image, **params)
    from ..._stack.build_container_case import build

    return build({"name": args.name, "state": state, "image": args.image, "wait_timeout": None, **params}, settings)


def _network(args: Namespace) -> dict | None:
    if not args.publish and not args.internet:
        return None
    return {"expose": args.publish or [], **({"internet": True} if args.internet else {})}


def _on_terminal() -> bool:
    return os.isatty(0) and os.isatty(1)


def do_start(args: Namespace) -> int:
    return _for_each_existing(args, "started", "{} is already running")


def do_restart(args: Namespace) -> int:
    return _for_each_existing(args, "restarted", "{} is already running")


def do_stop(args: Namespace) -> int:
    if args.keep:
        return _for_each_existing(args, "stopped", "{} is not running")
    settings = load_settings()
    names = ", ".join(args.names)
    if not args.yes and not args.check and not confirm(f"Delete {names} with all data?"):
        warn("nothing was deleted; `conductor stop --keep` stops a container and keeps it")
        return 1
    return for_each(args, lambda name: _removed(args, settings, name), "container {} does not exist")


def do_rm(args: Namespace) -> int:
    settings = load_settings()

    def remove(name: str) -> dict:
        facts = None if args.force else container_facts(settings, _existing(settings, name))
        if facts and facts["state"] in ("running", "restarting"):
            raise Conflict(f"container {name} is running", f"run conductor stop --keep {name}, or use --force")
        return _removed(args, settings, name)

    return for_each(args, remove, "container {} does not exist")


def _removed(args: Namespace, settings: Settings, name: str) -> dict:
    return change(args, _container_case(settings, name, "absent", force=args.force))


def _for_each_existing(args: Namespace, state: str, otherwise: str) -> int:
    settings = load_settings()
    return for_each(
        args, lambda name: change(args, _container_case(settings, _existing(settings, name), state)), otherwise
    )


def do_kill(args: Namespace) -> int:
    settings = load_settings()
    number = parse_signal(args.signal, "--signal")

    def kill(name: str) -> dict:
        process = running_container(ContainerPaths.of(settings.container_dir, _existing(settings, name))).process
        pidfd = None if args.check else process.open()
        if pidfd is not None:
            send_signal(pidfd, number)
            os.close(pidfd)
        return {"changed": True, "actions": [f"send signal {number} to container {name}"]}

    return for_each(args, kill, "")


def do_rename(args: Namespace) -> int:
    from ..._container.rename import RenameCase

    return show_change(args, change(args, RenameCase(args.name, args.new, load_settings())))


def do_cp(args: Namespace) -> int:
    from ..._container.copy.use_case import CopyCase

    sides = [_side(args.source), _side(args.target)]
    if [name is None for name, _ in sides].count(True) != 1:
        raise InvalidInput("one of SOURCE and TARGET must be NAME:PATH", "copy between containers in two steps")
    (of_source, source), (of_target, target) = sides
    if of_target is None and os.path.isdir(target):
        target = os.path.join(target, "")
    params = {
        "container": of_source or of_target,
        "direction": "in" if of_target else "out",
        "src": source,
        "dest": target,
        **dict.fromkeys(("content", "owner", "group", "mode", "directory_mode")),
    }
    return show_change(args, change(args, CopyCase(params, load_settings())))


def _side(text: str) -> tuple[str | None, str]:
    """Return container and path of NAME:PATH, or None and the absolute path of a file of the host."""
    name, colon, path = text.partition(":")
    if colon and name and "/" not in name:
        return name, path
    return None, os.path.abspath(text) + ("/" if text.endswith("/") else "")


def do_exec(args: Namespace) -> int:
    settings = load_settings()
    options = {"env": _environment(args.env), "chdir": args.workdir, "user": args.user}
    if not args.check and not args.json:
        return _exec_live(settings, args.name, args.command, **options)
    from ..._container.exec.use_case import ExecCase

    # With --json all output is part of the document.
    stdin = None if args.check or os.isatty(0) else sys.stdin.buffer.read().decode("utf-8", errors="surrogateescape")
    case = ExecCase(exec_params(args.name, args.command, stdin=stdin, stdin_add_newline=False, **options), settings)
    try:
        return show_change(args, change(args, case))
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
    from ..exec_live import LiveExec

    case = LiveExec(exec_params(name, argv, **options), settings)
    return perform(case)["status"]


def _environment(given: list[str]) -> dict[str, str]:
    for text in given:
        if "=" not in text:
            raise InvalidInput(f"--env {text!r} is not NAME=VALUE", "use the form -e NAME=VALUE")
    return dict(text.split("=", 1) for text in given)


def do_inspect(args: Namespace) -> int:
    print_json({"containers": named_containers(load_settings(), args.names)})
    return 0


def do_port(args: Namespace) -> int:
    settings = load_settings()
    one_container(settings, args.name)
    exposes = [entry for network in networks_of(settings, [args.name]) for entry in network.get("expose") or ()]
    if args.json:
        print_json({"expose": exposes})
        return 0
    for entry in exposes:
        address = entry["host_ip"] or "*"
        host = f"[{address}]" if ":" in address else address
        print(f"{entry['container_port']}/{entry['protocol']} -> {host}:{entry['host_port']}")
    return 0


def do_top(args: Namespace) -> int:
    container = running_container(ContainerPaths.of(load_settings().container_dir, parse_name(args.name, "NAME")))
    pids = container.cgroup.processes()
    if args.json:
        print_json({"processes": pids})
        return 0
    columns = ["-ww", "-o", "pid,user:16,pcpu,pmem,etime,args"]
    listed = run([require_program("ps", "procps"), *columns, "-p", ",".join(map(str, pids))])
    print(shown(listed.decode(errors="replace")), end="")
    return 0


def do_logs(args: Namespace) -> int:
    settings = load_settings()
    if args.json:
        (container,) = one_container(settings, args.name)["containers"]
        # A shared log must not reveal secrets in env.
        print_json({"containers": [{key: value for key, value in container.items() if key != "env"}]})
        return 0
    print_log(settings, _existing(settings, args.name), args.follow, args.tail, args.since)
    return 0


def _existing(settings: Settings, name: str) -> str:
    """Return `name` if a container has it. Raises NotFound."""
    if store.read_spec(ContainerPaths.of(settings.container_dir, parse_name(name, "NAME"))) is None:
        raise container_not_found(name, "list them with: conductor ps")
    return name


def _container_case(settings: Settings, name: str, state: str, **more: object) -> UseCase:
    from ..._container.use_case import ContainerCase

    return ContainerCase({"name": name, "state": state, "wait_timeout": None, **more}, settings)
