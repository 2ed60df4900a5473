# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program file of the host command, which runs the bundle."""

from __future__ import annotations

from ..._engine.bundle import agent_socket

# -I and -S: no module is loaded from the caller's environment or current directory, and the start is faster.
_PROGRAM = """\
#!/usr/bin/python3 -IS
# Host command of the Ansible collection conductor.containers.
import sys

sys.path.insert(0, {directory!r})

from conductor._cli.by_agent import run_by_agent

# Exits if the agent has run the verb.
run_by_agent({directory!r}, {socket!r})

from conductor._cli.main import main

main()
"""
# Every release of the command has one of these marks, and no other file has. The second one is from releases before the
# bundle.
MARKS = (b"# Host command of the Ansible collection conductor.containers.", b"conductor/_command/main.py")


def program(directory: str) -> bytes:
    """Return the content of the program that runs the bundle in `directory`."""
    return _PROGRAM.format(directory=directory, socket=agent_socket(directory)).encode()
