# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the locks, in one place: image, container, ids, network is the order in which they are taken."""

from __future__ import annotations


def container_lock(name: str) -> str:
    """The lock of one container."""
    return f"container-{name}"


def ids_lock() -> str:
    """The lock of who has which ids."""
    return "ids"


def network_lock() -> str:
    """The lock of all networks of this host: one pool, one table."""
    return "network"


def image_lock(name: str) -> str:
    """The lock of one image."""
    return f"image-{name}"
