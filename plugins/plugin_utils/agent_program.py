# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our program on a managed host (module_utils/_agent), and the socket of the server that it is there."""

from __future__ import annotations

import shlex

from ansible_collections.conductor.containers.plugins.module_utils._engine import program_zip
from ansible_collections.conductor.containers.plugins.module_utils._engine.paths import LIBRARY_DIR, RUN_DIR

_ROOMS = ("_errors.py", "_kernel/", "_engine/", "_image/", "_network/", "_container/", "_agent/")
# What modules of Ansible have in common is nothing without Ansible.
_WITHOUT = ("_engine/module_adapter.py",)


def served_paths() -> tuple[str, str]:
    """Where the program is, by the digest of its sources, and its socket: what found_once.served keeps."""
    digest = program_zip.digest(_ROOMS, without=_WITHOUT)
    return f"{LIBRARY_DIR}/entry-{digest}.pyz", f"{RUN_DIR}/entry/{digest}"


def put_program() -> tuple[str, bytes]:
    """Command that puts the program on a host, and what it is to be fed with. It appears whole or not at all."""
    content = program_zip.build(_ROOMS, "_agent.main", without=_WITHOUT)
    # What was of use to another release, and not for a week, goes.
    script = (
        'umask 022; mkdir -p "${1%/*}" && cat > "$1.$$" && mv "$1.$$" "$1" && '
        # Another controller may be about to remove the same.
        '{ find "${1%/*}" -name "entry-*" ! -path "$1" -mtime +7 -delete 2>/dev/null || :; }'
    )
    program, _ = served_paths()
    return shlex.join(["/bin/sh", "-c", script, "sh", program]), content
