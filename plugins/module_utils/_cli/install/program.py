# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host command as a file: a few lines that run the bundle."""

from __future__ import annotations

# -I and -S: nothing that its caller has set, or put in the current directory, is loaded; and it starts sooner.
_PROGRAM = """\
#!/usr/bin/python3 -IS
# Host command of the Ansible collection conductor.containers.
import sys

sys.path.insert(0, {directory!r})
from conductor._cli.main import main

main()
"""
# Each release of the command has one of these, and no other file: the second one before the command ran from a bundle.
MARKS = (b"# Host command of the Ansible collection conductor.containers.", b"conductor/_command/main.py")


def program(directory: str) -> bytes:
    """The program that runs the bundle in `directory`."""
    return _PROGRAM.format(directory=directory).encode()
