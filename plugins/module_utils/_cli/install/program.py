# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host command as a file."""

from __future__ import annotations

from ..._engine import program_zip

# Not called here: Ansible's payload holds only what a module imports, and so would lack what the command is made of.
from ..main import main  # noqa: F401

_ROOMS = ("_errors.py", "_kernel/", "_engine/", "_image/", "_network/", "_container/", "_build/", "_cli/")
# It needs Ansible.
_WITHOUT = ("_engine/module_adapter.py",)
# -I and -S: nothing that whoever calls it has set, or put in the current directory, is loaded; and it begins sooner.
_HEAD = b"#!/usr/bin/python3 -IS\n"
# By its list of files it is known for what it is, whatever its release.
MARK = b"conductor/_cli/main.py"


def program() -> bytes:
    """The program, for the code that runs now."""
    return program_zip.build(_ROOMS, "_cli.main", _HEAD, _WITHOUT, compiled=True)
