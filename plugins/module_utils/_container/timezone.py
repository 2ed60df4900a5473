# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time zone of a container: /etc/localtime and /etc/timezone inside, as dpkg-reconfigure tzdata writes them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .._errors import InvalidInput
from .._kernel.files.within_root import exists_inside, write_files, write_link
from .spec.values import HOST_TIMEZONE

_ZONES = "/usr/share/zoneinfo"


def check_timezone(zone: str, roots: Iterable[str]) -> None:
    """Raise InvalidInput if neither a root with these layers, topmost first, nor the host has `zone`; "" is none."""
    if not zone:
        return
    name = _zone(zone)
    for root in (*roots, "/"):
        try:
            root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if exists_inside(root_fd, f"{_ZONES}/{name}"):
                return
        finally:
            os.close(root_fd)
    raise InvalidInput(
        f"timezone: there is no time zone {name}", "use a name below /usr/share/zoneinfo, such as Europe/Berlin"
    )


def write_timezone(root_fd: int, zone: str) -> None:
    """Set the time zone below the root directory `root_fd`. "" leaves it as it is. Raises OSError.

    An image without the package tzdata gets a copy of the host's file.
    """
    if not zone:
        return
    name = _zone(zone)
    write_files(root_fd, {"/etc/timezone": f"{name}\n".encode()})
    if exists_inside(root_fd, f"{_ZONES}/{name}"):
        write_link(root_fd, "/etc/localtime", f"{_ZONES}/{name}")
        return
    with open(f"{_ZONES}/{name}", "rb") as file:
        write_files(root_fd, {"/etc/localtime": file.read()})


def _zone(zone: str) -> str:
    if zone != HOST_TIMEZONE:
        return zone
    target = os.path.realpath("/etc/localtime")
    return target[len(_ZONES) + 1 :] if target.startswith(f"{_ZONES}/") else "Etc/UTC"
