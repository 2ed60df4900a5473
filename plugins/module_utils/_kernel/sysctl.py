# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings under /proc/sys (sysctl(8)) of the namespace that the caller is in."""

from __future__ import annotations


def read_sysctl(name: str) -> str | None:
    """The value of `name`, or None where the kernel does not know it. Parts are set off by '/': names may have dots."""
    try:
        with open(f"/proc/sys/{name}", encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def write_sysctl(name: str, value: str) -> None:
    """Set `name` to `value`; where the kernel does not know `name`, nothing happens. Writes only a different value."""
    if read_sysctl(name) in (None, value):
        return
    with open(f"/proc/sys/{name}", "w", encoding="ascii") as file:
        file.write(value)
