# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments and help texts of the verbs for the host as a whole."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from .common import Verb
from .values import seconds


def _info(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", nargs="?", help="name of a container; default: the whole host")


def _stats(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("names", metavar="NAME", nargs="*", help="name of a container; repeatable; default: all that run")


def _ps(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--stack", metavar="STACK", help="list only the containers of this stack")
    shown = verb.add_mutually_exclusive_group()
    shown.add_argument("-q", "--quiet", action="store_true", help="print the names only")
    shown.add_argument(
        "--format", metavar="FORMAT", help="print this line for each, with {name} and other facts of conductor inspect"
    )


def _timeout(default: int, about: str) -> Callable[[argparse.ArgumentParser], None]:
    def add(verb: argparse.ArgumentParser) -> None:
        verb.add_argument("--timeout", metavar="SECONDS", type=seconds, default=default, help=f"{about}: {default}")

    return add


def _completion(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "what",
        choices=("bash", "zsh", "fish", "images", "containers", "stacks", "words"),
        help="a shell: its completion file; words: the completions of the last word after --; others: all names",
    )
    verb.set_defaults(needs_root=False, takes_command=True)


VERBS: dict[str, Verb] = {
    "stats": (
        "show memory, processor time and processes of running containers",
        "examples:\n  conductor stats\n  conductor stats web db\n",
        _stats,
    ),
    "ps": (
        "list the containers",
        "Lists containers that are not running too.\n\nexamples:\n  conductor ps\n  conductor ps --stack shop -q\n"
        "  conductor ps --format '{name} {state}'\n",
        _ps,
    ),
    "info": (
        "show information about the host, or about one container",
        "examples:\n  conductor info\n  conductor info box\n",
        _info,
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
        "print the completion for bash, zsh or fish",
        """\
examples:
  conductor completion bash > /etc/bash_completion.d/conductor
  conductor completion zsh > /usr/local/share/zsh/site-functions/_conductor
  conductor completion fish > /etc/fish/completions/conductor.fish
  conductor completion words -- exec w
""",
        _completion,
    ),
}
