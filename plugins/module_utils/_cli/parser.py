# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the host command: its parser, of the verbs in arguments/."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from .._engine.decimal_number import decimal_number
from .arguments import containers, host, images, networks, stacks
from .version import VERSION

# The file in commands/ that has the functions of these verbs.
_GROUPS = {
    "containers": containers.VERBS,
    "networks": networks.VERBS,
    "stacks": stacks.VERBS,
    "images": images.VERBS,
    "host": host.VERBS,
}
_VERBS = {name: (group, *verb) for group, verbs in _GROUPS.items() for name, verb in verbs.items()}

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


# Options of docker and podman that no verb needs, since a terminal is recognized.
_FOR_TERMINAL = re.compile(r"-[it]{1,2}|--interactive|--tty")
_WITHOUT_TERMINAL_OPTION = {
    "exec": "exec uses the terminal and its input by itself",
    "run": "run without a command opens a shell on the terminal by itself",
}


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._argument_names: list[str] = []
        super().__init__(*arguments, **options)

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        action = super().add_argument(*names, **options)
        if not action.option_strings:
            self._argument_names.append(action.dest)
        return action

    def options_among_arguments(self, args: argparse.Namespace) -> list[str]:
        """Return the arguments that look like options: argparse accepts -1 as one, for negative numbers."""
        values = [getattr(args, name) for name in self._argument_names]
        words = [word for value in values for word in (value if isinstance(value, list) else [value])]
        return [word for word in words if word and word.startswith("-") and word != "-"]

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"conductor: {message}; see {self.prog} --help\n")

    def option_strings(self) -> list[str]:
        """Return all options, short and long."""
        return list(self._option_string_actions)

    def takes_value(self, option: str) -> bool:
        """Return whether a word follows `option`."""
        action = self._option_string_actions.get(option)
        return action is not None and action.nargs != 0

    def choices_of(self, option: str) -> list[str]:
        """Return the values that `option` can have, [] for any."""
        return [str(choice) for choice in self._option_string_actions[option].choices or ()]

    def takes_several_names(self) -> bool:
        """Return whether the last argument can be repeated."""
        return any(not action.option_strings and action.nargs in ("+", "*") for action in self._actions)

    def arguments_in(self, words: list[str]) -> list[str]:
        """Return the words that are neither options nor their values."""
        return [
            word
            for number, word in enumerate(words)
            if not word.startswith("-") and not (number and self.takes_value(words[number - 1]))
        ]


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the line breaks of texts, and has room for the longest option."""

    def __init__(self, prog: str) -> None:
        # argparse asks shutil, whose import costs more than the rest of most parsers.
        super().__init__(prog, max_help_position=32, width=_columns() - 2)


def _columns() -> int:
    """Return the width of the terminal, as shutil.get_terminal_size()."""
    columns = decimal_number(os.environ.get("COLUMNS", ""), 1 << 16)
    if columns:
        return columns
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the verb with its arguments. Exits on --help and wrong usage."""
    # Split here, since argparse would parse options of the command after --.
    end = argv.index("--") if "--" in argv else len(argv)
    argv, end = _with_joined_verb(argv, end)
    # The options of one verb are enough, unless the verb is unknown or comes later.
    parser, verbs = make_parser(argv[:1] if argv[:1] and argv[0] in _VERBS else _VERBS)
    if not argv:
        parser.print_help()
        parser.exit(0)
    args, unknown = parser.parse_known_args(argv[:end])
    verb = verbs[args.verb]
    unknown = [*verb.options_among_arguments(args), *unknown]
    if unknown:
        hint = _hint(args, unknown, has_command=end < len(argv))
        verb.error(f"unrecognized arguments: {' '.join(unknown)}{hint and '; '}{hint}")
    if end < len(argv) and not args.takes_command:
        verb.error(f"{args.verb} takes no command")
    if end == len(argv) - 1:
        verb.error("-- must be followed by a command")
    args.command = argv[end + 1 :] or None
    if args.json and getattr(args, "follow", False):
        verb.error("--json and --follow are mutually exclusive")
    if getattr(args, "rm", False) and args.restart not in (None, "no"):
        verb.error("--rm and --restart are mutually exclusive")
    return args


def _hint(args: argparse.Namespace, unknown: list[str], has_command: bool) -> str:
    """Return the remedy for words that the verb does not know, or ""."""
    if args.verb == "kill" and re.fullmatch(r"-[0-9A-Z+]+", unknown[0]):
        return "set the signal with -s or --signal"
    other = [word for word in unknown if not _FOR_TERMINAL.fullmatch(word)]
    if not other:
        return _WITHOUT_TERMINAL_OPTION.get(args.verb, "")
    is_command = args.takes_command and not has_command and not other[0].startswith("-")
    return "put the command after --" if is_command else ""


def _with_joined_verb(argv: list[str], end: int) -> tuple[list[str], int]:
    """Return `argv`, in which a verb of two words is one, and the index `end` in it."""
    words = [number for number, word in enumerate(argv[:end]) if not word.startswith("-")]
    joined = " ".join(argv[number] for number in words[:2])
    # `peer rm db` is about two containers, one of them with the name rm.
    if len(words) < 2 or joined not in _VERBS or (joined.startswith("peer ") and len(words) == 3):
        return argv, end
    first, second = words[:2]
    return [*argv[:first], joined, *argv[first + 1 : second], *argv[second + 1 :]], end - 1


def make_parser(
    names: Iterable[str] | None = None,
) -> tuple[_Parser, dict[str, _Parser]]:
    """Return the parser, and the parsers of the verbs `names` (all) by name."""
    parser = _Parser("conductor", description=_ABOUT, epilog=_STATUS, formatter_class=_Formatter, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print the module's result as JSON")
    parser.add_argument("--version", action="version", version=f"conductor {VERSION}")
    verbs: dict[str, _Parser] = {}
    listed = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs", parser_class=_Parser)
    for name in _VERBS if names is None else names:
        group, summary, more, add = _VERBS[name]
        about = f"{summary[0].upper()}{summary[1:]}."
        verb = listed.add_parser(
            name, help=summary, description=about, epilog=more, formatter_class=_Formatter, allow_abbrev=False
        )
        verb.set_defaults(takes_command=False, needs_root=True, group=group)
        # SUPPRESS keeps the value of --json before the verb.
        verb.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print the module's result as JSON"
        )
        add(verb)
        verbs[name] = verb
    return parser, verbs
