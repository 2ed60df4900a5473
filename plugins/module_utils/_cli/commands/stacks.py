# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs for stacks."""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from ..hints import in_own_words
from .common import change, load_settings, show_change, warn

# Loaded only by its verbs, since it imports nearly all code.
if TYPE_CHECKING:
    from ..._stack.use_case import StackCase


def do_up(args: Namespace) -> int:
    from ..._stack.use_case import build
    from ..stack_file import read_stack_file

    settings = load_settings()
    params, warnings = read_stack_file(args.file, args.name)
    for text in warnings:
        warn(text, args.verb)
    allowed = {name: True for name in ("prune", "restart", "recreate") if getattr(args, name)}
    case = build({**params, **allowed}, settings)
    return _change(args, case, f"stack {params['name']} is up to date")


def do_down(args: Namespace) -> int:
    from ..._stack.use_case import build

    case = build({"name": args.name, "state": "absent"}, load_settings())
    return _change(args, case, f"stack {args.name} has no containers")


def _change(args: Namespace, case: StackCase, otherwise: str) -> int:
    """Perform `case` and print its actions: to standard error, if that is a terminal, as soon as each is done."""
    is_followed = sys.stderr.isatty() and not args.check
    if is_followed:
        case.progress.echo = _echo
    result = change(args, case)
    # A terminal that is both has the actions already.
    return show_change(args, result, otherwise, with_actions=not (is_followed and sys.stdout.isatty()))


def _echo(line: str) -> None:
    # A terminal that is closed must not end the run.
    with contextlib.suppress(OSError):
        print(in_own_words(line, "up"), file=sys.stderr, flush=True)
