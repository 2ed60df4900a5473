# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments that several verbs have."""

from __future__ import annotations

import argparse
from collections.abc import Callable

# Summary, help text with examples, and the function that adds the arguments.
Verb = tuple[str, str, Callable[[argparse.ArgumentParser], None]]


def add_changes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--check", action="store_true", help="change nothing, only print the actions")
    verb.add_argument("--diff", action="store_true", help="with --json, include the state before and after")


def add_container(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", metavar="NAME", help="name of the container")


def add_containers(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("names", metavar="NAME", nargs="+", help="name of a container; repeatable")
