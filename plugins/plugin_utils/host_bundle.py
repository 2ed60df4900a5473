# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths and installation of the bundle on a managed host (module_utils/_engine/bundle.py)."""

from __future__ import annotations

import shlex

from ansible_collections.conductor.containers.plugins.module_utils._engine.bundle import (
    agent_socket,
    digest,
    pack,
    path_of,
)


def find_agent_paths() -> tuple[str, str]:
    """Return the directory of the bundle on a host, and the agent's socket there. run_cache.served caches them."""
    program = path_of(digest())
    return program, agent_socket(program)


def install_command(python: str) -> tuple[str, bytes]:
    """Return a shell command for root that installs the bundle with the host's `python`, and its standard input."""
    bundle, data = pack()
    script = 'f=$(mktemp) && cat > "$f" && "$0" -I -S "$f" install "$1"; s=$?; rm -f "$f"; exit $s'
    return shlex.join(["/bin/sh", "-c", script, python, bundle]), data
