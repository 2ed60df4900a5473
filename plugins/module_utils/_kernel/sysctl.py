# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings under /proc/sys (sysctl(8)) of the caller's namespace."""

from __future__ import annotations


def read_sysctl(name: str) -> str | None:
    """Return the value of `name`, or None if the kernel does not know it.

    Parts of the name are separated by '/', because interface names may contain dots.
    """
    try:
        with open(f"/proc/sys/{name}", encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def write_sysctl(name: str, value: str) -> None:
    """Set `name` to `value` if its value differs. Does nothing if the kernel does not know `name`."""
    if read_sysctl(name) in (None, value):
        return
    with open(f"/proc/sys/{name}", "w", encoding="ascii") as file:
        file.write(value)
