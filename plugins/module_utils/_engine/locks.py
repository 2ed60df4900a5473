# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of the locks, in one place: image, container, ids, network is the order in which they are taken."""

from __future__ import annotations

from .._kernel.flock import Lock


def container_lock(name: str) -> Lock:
    """The lock of one container."""
    return Lock(f"container-{name}")


def ids_lock() -> Lock:
    """The lock of who has which ids."""
    return Lock("ids")


def network_lock() -> Lock:
    """The lock of all networks of this host: one pool, one table."""
    return Lock("network")


def image_lock(name: str, shared: bool = False) -> Lock:
    """The lock of one image: for who makes or removes it, or, `shared`, for who needs that it stays as it is."""
    return Lock(f"image-{name}", shared)
