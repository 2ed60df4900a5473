# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runtime does on the host: `supervise` (from a start, in the same process) and `start` (a restart)."""

from __future__ import annotations

import sys


def main() -> None:
    """usage: conductor-HASH.pyz supervise CONTAINER_DIR NAME; or: start CONTAINER_DIR NAME FLAPS"""
    verb, container_dir, name, *flaps = sys.argv[1:]
    if verb == "supervise":
        from .supervise import supervise

        supervise(container_dir, name)
    else:
        from .restart import restart

        restart(container_dir, name, int(flaps[0]))
