# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of all locks. They are acquired in the order image, container, ids, network, supervisor."""

from __future__ import annotations

from .._kernel.flock import Lock


def container_lock(name: str) -> Lock:
    """The lock of one container."""
    return Lock(f"container-{name}")


def ids_lock() -> Lock:
    """The lock for the assignment of id ranges."""
    return Lock("ids")


def network_lock() -> Lock:
    """The lock of all networks of this host, which share an address pool and a firewall table."""
    return Lock("network")


def supervisor_lock() -> Lock:
    """The lock for the creation and the end of this host's supervisor."""
    return Lock("supervisor")


def image_lock(name: str, shared: bool = False) -> Lock:
    """The lock of one image: exclusive to create or remove it, `shared` to use it unchanged."""
    return Lock(f"image-{name}", shared)
