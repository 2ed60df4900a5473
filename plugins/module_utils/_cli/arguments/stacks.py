# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments and help texts of the verbs for stacks."""

from __future__ import annotations

import argparse

from .common import Verb, add_changes


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
    add_changes(verb)


def _down(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="STACK", help="name of the stack")
    add_changes(verb)


VERBS: dict[str, Verb] = {
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
}
