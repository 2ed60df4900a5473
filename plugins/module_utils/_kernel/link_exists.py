# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an interface exists. Each start and stop asks, so this file imports nothing else."""

from __future__ import annotations

import socket


def link_exists(outer: str) -> bool:
    """Return whether an interface `outer` exists in this network namespace. Needs no pyroute2."""
    try:
        socket.if_nametoindex(outer)
    except OSError:
        return False
    return True
