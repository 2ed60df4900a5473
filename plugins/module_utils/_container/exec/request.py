# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of conductor_exec as users write them. use_case.py parses them."""

from __future__ import annotations

from collections.abc import Mapping

from ..._engine.option import Option

MODULE_OPTIONS: Mapping[str, Option] = {
    "container": Option("str", ("Name of the container.",), required=True),
    "argv": Option(
        "raw",
        (
            "Command to run: a list of the program and its arguments, or a string that is split like a shell command.",
            "Defaults to V(/bin/bash) if O(stdin) is given. Mutually exclusive with O(cmd).",
        ),
    ),
    "cmd": Option(
        "str",
        (
            "Command to run, as a string that is split like a shell command.",
            "Mutually exclusive with O(argv).",
        ),
    ),
    "stdin": Option("str", ("Standard input of the command. It is not written to the log of the host.",)),
    "stdin_add_newline": Option(
        "bool", ("Whether to append a newline to O(stdin) if it does not end with one.",), default=True
    ),
    "env": Option(
        "dict",
        (
            "Environment variables of the command, in addition to those of the container, which they override.",
            "Values are not written to the log of the host.",
        ),
    ),
    "chdir": Option(
        "str",
        (
            "Directory inside in which the command runs.",
            "Defaults to the container's O(conductor.containers.conductor_container#module:working_dir).",
        ),
    ),
    "user": Option(
        "str",
        (
            "User of the command, and optionally its group, V(USER:GROUP).",
            "Defaults to the container's O(conductor.containers.conductor_container#module:user).",
        ),
    ),
    "creates": Option("str", ("Path or glob pattern inside. If it exists, the command is not run.",)),
    "removes": Option("str", ("Path or glob pattern inside. If it does not exist, the command is not run.",)),
    "timeout": Option(
        "float",
        (
            "Seconds after which the command and its descendants are killed and the task fails.",
            "Defaults to no timeout.",
        ),
    ),
    "output_limit": Option(
        "raw",
        (
            "Bytes of each output stream that are kept, a number or a text like V(64m), up to V(1g). The rest "
            "is discarded, with a warning.",
        ),
        default="16m",
    ),
    "detach": Option(
        "bool",
        (
            "Start the command and do not wait for it. Its output goes to the container's log.",
            "Mutually exclusive with O(timeout) and O(stdin).",
        ),
        default=False,
    ),
}
