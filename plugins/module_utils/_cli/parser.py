# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be typed: verbs, their arguments, and the help that explains them."""

from __future__ import annotations

import argparse
from typing import NoReturn

_STATUS = """\
exit status:
  0  done, or nothing was to do     2  wrong usage (1: a bug)
  3  no such container or image     4  the host's state forbids it (in use, taken, not running)
  5  a value that cannot be right   6  the host lacks a program, a library or a right
  7  a damaged file of ours         8  a step failed
  9  another run holds the lock     exec, and run's shell: theirs, 128 and the number for a signal
"""

_ABOUT = """\
Debian containers on this host. Each verb does what a module of the Ansible collection conductor.containers does, on the
same files: what one has made the other can change.
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"conductor: {message}; {self.prog} --help says how\n")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Leaves texts as they are, and has room for the longest option."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32)


def parse(argv: list[str]) -> argparse.Namespace:
    """The verb with its arguments. Ends the process after --help and wrong usage."""
    parser, verbs = make_parser()
    # By hand: what follows -- is the command's, whatever it looks like.
    end = argv.index("--") if "--" in argv else len(argv)
    args, unknown = parser.parse_known_args(argv[:end])
    verb = verbs[args.verb]
    if unknown:
        hint = ", the command follows --" if args.takes_command else ""
        verb.error(f"{' '.join(unknown)}: not understood{hint}")
    if end < len(argv) and not args.takes_command:
        verb.error(f"{args.verb} takes no command")
    if end == len(argv) - 1:
        verb.error("no command follows --")
    args.command = argv[end + 1 :] or None
    if args.json and getattr(args, "follow", False):
        verb.error("--json and --follow exclude each other")
    return args


def make_parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and those of the verbs by name."""
    parser = _Parser("conductor", description=_ABOUT, epilog=_STATUS, formatter_class=_Formatter, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print the module's result as JSON")
    verbs: dict[str, argparse.ArgumentParser] = {}
    listed = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs", parser_class=_Parser)
    for name, (summary, more, add) in _VERBS.items():
        about = f"{summary[0].upper()}{summary[1:]}."
        verb = listed.add_parser(
            name, help=summary, description=about, epilog=more, formatter_class=_Formatter, allow_abbrev=False
        )
        verb.set_defaults(takes_command=False, needs_root=True)
        # Where it is not given the one before the verb counts.
        verb.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print the module's result as JSON"
        )
        add(verb)
        verbs[name] = verb
    return parser, verbs


def _changes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--check", action="store_true", help="change nothing, say what would be done")
    verb.add_argument("--diff", action="store_true", help="with --json, tell also what was before and what is after")


def _build(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the image")
    _changes(verb)


def _rmi(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the image")
    verb.add_argument("--force", action="store_true", help="also an image whose image.json is damaged")
    _changes(verb)


def _images(_verb: argparse.ArgumentParser) -> None:
    """No arguments of its own."""


def _run(verb: argparse.ArgumentParser) -> None:
    verb.usage = "conductor run [options] IMAGE NAME [-- COMMAND [ARGUMENT ...]]"
    verb.add_argument("image", metavar="IMAGE", help="name of the image")
    verb.add_argument("name", metavar="NAME", help="name of the container")
    verb.add_argument("-d", "--detach", action="store_true", help="open no shell")
    verb.set_defaults(takes_command=True)
    _changes(verb)


def _container(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the container")


def _start(verb: argparse.ArgumentParser) -> None:
    _container(verb)
    _changes(verb)


def _stop(verb: argparse.ArgumentParser) -> None:
    _container(verb)
    verb.add_argument("--keep", action="store_true", help="only stop it, and keep it with its data")
    verb.add_argument(
        "--force", action="store_true", help="also a container whose container.json is damaged or missing"
    )
    _changes(verb)


def _exec(verb: argparse.ArgumentParser) -> None:
    verb.usage = "conductor exec [options] NAME [-- COMMAND [ARGUMENT ...]]"
    _container(verb)
    verb.add_argument("-u", "--user", metavar="USER[:GROUP]", help="who runs it; default is the container's user")
    verb.add_argument("-e", "--env", metavar="NAME=VALUE", action="append", default=[], help="a variable; repeatable")
    verb.add_argument("-w", "--workdir", metavar="DIR", help="where inside; default is the container's directory")
    verb.set_defaults(takes_command=True, diff=False)
    verb.add_argument("--check", action="store_true", help="run nothing, say whether it could be")


def _logs(verb: argparse.ArgumentParser) -> None:
    _container(verb)
    verb.add_argument("-f", "--follow", action="store_true", help="go on until the container has ended")


def _addnetwork(verb: argparse.ArgumentParser) -> None:
    _container(verb)
    verb.add_argument("-i", "--internet", action="store_true", help="let it reach the internet, behind the host")
    verb.add_argument(
        "-e", "--expose", metavar="INNER-OUTER", action="append", default=[],
        help="make the container's port INNER the host's port OUTER (TCP; INNER-OUTER/udp for UDP); repeatable",
    )  # fmt: skip
    _changes(verb)


def _peer(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="A", help="name of the one container")
    verb.add_argument("peer", metavar="B", help="name of the other")
    _changes(verb)


def _info(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", nargs="?", help="name of a container; without it, the whole host")


def _completion(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("what", choices=("bash", "images", "containers"), help="bash: the file; else the names, for it")
    verb.set_defaults(needs_root=False)


# Summary, examples, and what adds the arguments.
_VERBS = {
    "build": (
        "build a Debian image",
        """\
The host's own release and mirror, by mmdebstrap or debootstrap. It takes some minutes. For other releases, packages and
sources there is the module conductor_image.

example:
  conductor build debian
""",
        _build,
    ),
    "images": ("list the images", "example:\n  conductor images\n", _images),
    "rmi": ("remove an image", "One that containers use is not removed.\n\nexample:\n  conductor rmi debian\n", _rmi),
    "run": (
        "run a container from an image",
        """\
COMMAND is the container's first process; default is /bin/bash, which stays until the container is stopped. It runs in
the background, and what it prints is what `conductor logs` shows.

Without COMMAND, where standard input and output are a terminal, a shell in the container is opened at once, as
`conductor exec NAME` does. The container goes on when that shell is left. --detach opens none.

A container that exists is started again, with its data.

examples:
  conductor run debian box
  conductor run debian web -- /usr/bin/python3 -m http.server 8080
""",
        _run,
    ),
    "ps": ("list the containers", "All, those that do not run too.\n\nexample:\n  conductor ps\n", _images),
    "stop": (
        "stop a container and DELETE IT WITH ITS DATA",
        """\
Without --keep nothing is left of the container: its files, its network and its log go, too.

examples:
  conductor stop box           it is gone
  conductor stop --keep box    conductor start box starts it again, with its data
""",
        _stop,
    ),
    "start": ("start a container that was stopped or has ended", "example:\n  conductor start box\n", _start),
    "exec": (
        "run a command in a container",
        """\
Default is /bin/bash. Where standard input and output are a terminal the command gets one of the container's own, with
its size, its keys and its jobs. Else its streams are passed on as they come.

examples:
  conductor exec box
  conductor exec box -- ps aux
  tar -c . | conductor exec -w /srv box -- tar -x
""",
        _exec,
    ),
    "logs": (
        "print what a container's first process has written",
        """\
On a terminal characters that would act on it are shown as escapes; elsewhere all is printed as it was written.

examples:
  conductor logs box
  conductor logs -f box
""",
        _logs,
    ),
    "addnetwork": (
        "give a container a network",
        """\
The host and the container reach each other then, and nothing beyond. The options say what the whole network shall be:
what is not given here is off afterwards, whatever was given before.

examples:
  conductor addnetwork box
  conductor addnetwork box --internet --expose 8080-80    its port 8080 is the host's port 80
""",
        _addnetwork,
    ),
    "peer": (
        "let two containers call each other",
        "Both need a network. Containers that are no peers do not reach each other.\n\n"
        "example:\n  conductor peer web db\n",
        _peer,
    ),
    "info": (
        "tell about the host, or about one container",
        "examples:\n  conductor info\n  conductor info box\n",
        _info,
    ),
    "reconcile": (
        "repair the networks of all containers",
        "After somebody flushed the firewall or deleted an interface.\n\nexample:\n  conductor reconcile\n",
        _changes,
    ),
    "completion": (
        "print what a shell completes",
        "example:\n  conductor completion bash > /etc/bash_completion.d/conductor\n",
        _completion,
    ),
}
