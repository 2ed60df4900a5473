# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the host command: verbs, arguments, and help texts."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import NoReturn

_STATUS = """\
exit status:
  0  success, or nothing to do      2  wrong usage (1: a bug)
  3  no such container or image     4  conflict with the current state (in use, taken, not running)
  5  invalid value                  6  a program, library or privilege is missing on the host
  7  damaged state file             8  an action failed
  9  the lock is held by another run
  exec and the shell of run: status of the command, or 128 + signal number
"""

_ABOUT = """\
Manage Debian containers on this host. Each verb does the same as a module of the Ansible collection
conductor.containers, on the same files, so both can manage the same containers.
"""


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"conductor: {message}; see {self.prog} --help\n")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of texts, and has room for the longest option."""

    def __init__(self, prog: str) -> None:
        # argparse asks shutil, whose import costs more than the rest of most parsers.
        super().__init__(prog, max_help_position=32, width=_columns() - 2)


def _columns() -> int:
    """Return the width of the terminal, as shutil.get_terminal_size()."""
    text = os.environ.get("COLUMNS", "")
    if text.isdigit() and int(text):
        return int(text)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the verb with its arguments. Exits on --help and wrong usage."""
    # The options of one verb are enough, unless the verb is unknown or comes later.
    parser, verbs = make_parser(argv[:1] if argv[:1] and argv[0] in _VERBS else _VERBS)
    # Split here, since argparse would parse options of the command after --.
    end = argv.index("--") if "--" in argv else len(argv)
    args, unknown = parser.parse_known_args(argv[:end])
    verb = verbs[args.verb]
    if unknown:
        hint = "; put the command after --" if args.takes_command else ""
        verb.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    if end < len(argv) and not args.takes_command:
        verb.error(f"{args.verb} takes no command")
    if end == len(argv) - 1:
        verb.error("-- must be followed by a command")
    args.command = argv[end + 1 :] or None
    if args.json and getattr(args, "follow", False):
        verb.error("--json and --follow are mutually exclusive")
    return args


def make_parser(
    names: Iterable[str] | None = None,
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Return the parser, and the parsers of the verbs `names` (all) by name."""
    parser = _Parser("conductor", description=_ABOUT, epilog=_STATUS, formatter_class=_Formatter, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print the module's result as JSON")
    verbs: dict[str, argparse.ArgumentParser] = {}
    listed = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs", parser_class=_Parser)
    for name in _VERBS if names is None else names:
        summary, more, add = _VERBS[name]
        about = f"{summary[0].upper()}{summary[1:]}."
        verb = listed.add_parser(
            name, help=summary, description=about, epilog=more, formatter_class=_Formatter, allow_abbrev=False
        )
        verb.set_defaults(takes_command=False, needs_root=True)
        # SUPPRESS keeps the value of --json before the verb.
        verb.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print the module's result as JSON"
        )
        add(verb)
        verbs[name] = verb
    return parser, verbs


def _changes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--check", action="store_true", help="change nothing, only print the actions")
    verb.add_argument("--diff", action="store_true", help="with --json, include the state before and after")


def _build(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the image")
    _changes(verb)


def _rmi(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the image")
    verb.add_argument("--force", action="store_true", help="remove the image even if its image.json is damaged")
    _changes(verb)


def _images(_verb: argparse.ArgumentParser) -> None:
    """Add no arguments."""


def _run(verb: argparse.ArgumentParser) -> None:
    verb.usage = "conductor run [options] IMAGE NAME [-- COMMAND [ARGUMENT ...]]"
    verb.add_argument("image", metavar="IMAGE", help="name of the image")
    verb.add_argument("name", metavar="NAME", help="name of the container")
    verb.add_argument("-d", "--detach", action="store_true", help="do not open a shell")
    verb.set_defaults(takes_command=True)
    _changes(verb)


def _container(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the container")


def _start(verb: argparse.ArgumentParser) -> None:
    _container(verb)
    _changes(verb)


def _stop(verb: argparse.ArgumentParser) -> None:
    _container(verb)
    verb.add_argument("--keep", action="store_true", help="stop the container, and keep it with its data")
    verb.add_argument(
        "--force", action="store_true", help="delete the container even if its container.json is damaged or missing"
    )
    _changes(verb)


def _exec(verb: argparse.ArgumentParser) -> None:
    verb.usage = "conductor exec [options] NAME [-- COMMAND [ARGUMENT ...]]"
    _container(verb)
    verb.add_argument("-u", "--user", metavar="USER[:GROUP]", help="user of the command; default: the container's user")
    verb.add_argument(
        "-e", "--env", metavar="NAME=VALUE", action="append", default=[], help="environment variable; repeatable"
    )
    verb.add_argument("-w", "--workdir", metavar="DIR", help="working directory; default: the container's")
    verb.set_defaults(takes_command=True, diff=False)
    verb.add_argument("--check", action="store_true", help="run nothing, only check that the command could run")


def _logs(verb: argparse.ArgumentParser) -> None:
    _container(verb)
    verb.add_argument("-f", "--follow", action="store_true", help="continue until the container has ended")


def _expose_value(text: str) -> str | dict[str, str]:
    """Return an entry of the option expose of conductor_network: a string, or a dictionary for KEY=VALUE,..."""
    if "=" not in text:
        return text
    pairs = [part.partition("=") for part in text.split(",")]
    value = {key: given for key, _, given in pairs}
    if not all(given for _, _, given in pairs) or len(value) != len(pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of KEY=VALUE, each key once")
    return value


def _addnetwork(verb: argparse.ArgumentParser) -> None:
    _container(verb)
    verb.add_argument(
        "-i", "--internet", action="store_true", help="allow Internet access with the host's address (NAT)"
    )
    verb.add_argument(
        "-e", "--expose", metavar="CONTAINER_PORT-HOST_PORT", action="append", default=[], type=_expose_value,
        help="expose a container port on a host port, TCP unless /udp is appended; or "
        "container_port=PORT[,host_port=PORT][,protocol=udp][,host_ip=ADDRESS]; repeatable",
    )  # fmt: skip
    _changes(verb)


def _peer(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="A", help="name of a container")
    verb.add_argument("peer", metavar="B", help="name of the other container")
    _changes(verb)


def _info(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", nargs="?", help="name of a container; default: the whole host")


def _ps(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--stack", metavar="STACK", help="list only the containers of this stack")


def _up(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", metavar="FILE", help="Compose file, or options of the module conductor_stack")
    verb.add_argument("--name", metavar="STACK", help="name of the stack; default: name in the file")
    verb.add_argument(
        "--prune", action="store_true", help="delete containers of the stack that are not listed any more"
    )
    verb.add_argument("--restart", action="store_true", help="allow to restart containers for changed options")
    verb.add_argument(
        "--recreate", action="store_true", help="allow to create containers anew, without the data in their root"
    )
    _changes(verb)


def _down(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="STACK", help="name of the stack")
    _changes(verb)


def _graph(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--format",
        choices=("mermaid", "dot", "svg"),
        default="mermaid",
        help="language of the graph, or svg: an image; default: mermaid",
    )


def _timeout(default: int, about: str) -> Callable[[argparse.ArgumentParser], None]:
    def add(verb: argparse.ArgumentParser) -> None:
        verb.add_argument("--timeout", metavar="SECONDS", type=_seconds, default=default, help=f"{about}: {default}")

    return add


def _seconds(text: str) -> float:
    try:
        if 0 < (seconds := float(text)) < 1e6:
            return seconds
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")


def _completion(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "what",
        choices=("bash", "images", "containers", "stacks"),
        help="bash: the completion file; others: the names that it completes",
    )
    verb.set_defaults(needs_root=False)


# Summary, help text with examples, and the function that adds the arguments.
_VERBS = {
    "build": (
        "build a Debian image",
        """\
Uses the Debian release and mirror of the host, with mmdebstrap or debootstrap. This takes some minutes. Use the
module conductor_image for other releases, packages and sources.

example:
  conductor build debian
""",
        _build,
    ),
    "images": ("list the images", "example:\n  conductor images\n", _images),
    "rmi": (
        "remove an image",
        "An image that containers use is not removed.\n\nexample:\n  conductor rmi debian\n",
        _rmi,
    ),
    "run": (
        "run a container from an image",
        """\
COMMAND is the container's first process. It runs in the background, and `conductor logs` prints its output. The
default is /bin/bash, which runs until the container is stopped.

Without COMMAND, if standard input and output are a terminal, a shell in the container is opened as by
`conductor exec NAME`. The container keeps running after the shell exits. Use --detach to open no shell.

An existing container is started again with its data.

examples:
  conductor run debian box
  conductor run debian web -- /usr/bin/python3 -m http.server 8080
""",
        _run,
    ),
    "ps": (
        "list the containers",
        "Lists containers that are not running too.\n\nexamples:\n  conductor ps\n  conductor ps --stack shop\n",
        _ps,
    ),
    "up": (
        "create and start the containers of a stack",
        """\
FILE is a Compose file (a mapping with the key services), or has the options of the module conductor_stack (name,
containers, images, ...). It is in JSON if its name ends with .json, and in YAML otherwise, which requires the package
python3-yaml. Variables in a Compose file are taken from the file .env beside it.

examples:
  conductor up compose.yml --name shop
  conductor up shop.json --check
""",
        _up,
    ),
    "down": (
        "stop the containers of a stack and DELETE THEM WITH THEIR DATA",
        """\
Does the same as the module conductor_stack with state=absent. All containers are stopped at the same time. Images
are kept.

example:
  conductor down shop
""",
        _down,
    ),
    "stop": (
        "stop a container and DELETE IT WITH ITS DATA",
        """\
Without --keep the container is deleted with its files, its network and its log.

examples:
  conductor stop box           stop and delete it
  conductor stop --keep box    stop it; start it again with: conductor start box
""",
        _stop,
    ),
    "start": ("start a stopped or exited container", "example:\n  conductor start box\n", _start),
    "exec": (
        "run a command in a container",
        """\
COMMAND defaults to /bin/bash. If standard input and output are a terminal, the command gets a terminal of the
container with the same size, and all keys and job control work. Otherwise its streams are passed through.

examples:
  conductor exec box
  conductor exec box -- ps aux
  tar -c . | conductor exec -w /srv box -- tar -x
""",
        _exec,
    ),
    "logs": (
        "print the output of a container's first process",
        """\
On a terminal, control characters are shown as escapes. Otherwise the output is printed unchanged.

examples:
  conductor logs box
  conductor logs -f box
""",
        _logs,
    ),
    "addnetwork": (
        "give a container a network",
        """\
The container and its host reach each other, and nothing else. The options describe the whole network: an option that
is not set is off afterwards, even if it was on before.

examples:
  conductor addnetwork box
  conductor addnetwork box --internet --expose 8080-80    container port 8080 on host port 80
  conductor addnetwork box --expose container_port=8080,host_port=80,host_ip=127.0.0.1
""",
        _addnetwork,
    ),
    "peer": (
        "allow two containers to reach each other",
        "Both need a network. Containers that are not peers do not reach each other.\n\n"
        "example:\n  conductor peer web db\n",
        _peer,
    ),
    "info": (
        "show information about the host, or about one container",
        "examples:\n  conductor info\n  conductor info box\n",
        _info,
    ),
    "graph": (
        "draw which containers may call each other",
        """\
Prints the containers with a network, their exposed ports, peers and Internet access as a graph, for Mermaid or for the
program dot of the package graphviz, or as an SVG image that this program draws.

examples:
  conductor graph
  conductor graph --format dot
  conductor graph --format svg > graph.svg
""",
        _graph,
    ),
    "reconcile": (
        "repair the networks of all containers",
        "Use it after the firewall was flushed or an interface was deleted.\n\nexample:\n  conductor reconcile\n",
        _changes,
    ),
    "boot": (
        "start the containers that start when the host boots",
        """\
conductor.service runs it at each boot. It starts containers with autostart that were running before, in the order of
their dependencies. An error of one container does not keep the others back.

example:
  conductor boot
""",
        _timeout(300, "seconds after which no more containers are started; default"),
    ),
    "shutdown": (
        "stop all containers until the next boot of the host",
        """\
conductor.service runs it when the host shuts down. Containers are stopped in the reverse order of their dependencies,
and `conductor boot` starts them again.

example:
  conductor shutdown
""",
        _timeout(80, "seconds after which containers are killed; default"),
    ),
    "completion": (
        "print the completion for bash",
        "example:\n  conductor completion bash > /etc/bash_completion.d/conductor\n",
        _completion,
    ),
}
