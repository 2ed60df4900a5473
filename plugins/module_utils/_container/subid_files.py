# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registration of id ranges in /etc/subuid and /etc/subgid, so that useradd(8) assigns none of them to users."""

from __future__ import annotations

from collections.abc import Iterable

from .._engine.id_range import IdRange
from .._kernel.files.atomic_write import read_text
from .id_ranges import append_ids, lock_subid_files, subid_files
from .plan.id_ranges import missing_lines


def register_ids(ranges: Iterable[IdRange], timeout: float) -> None:
    """Add `ranges` for the user conductor to each of the two files that exists and lacks them.

    Raises LockTimeout if another program changes users for longer than `timeout` seconds, HostNotCapable if a file
    cannot be written.
    """
    wanted = tuple(ranges)
    if not wanted:
        return
    with lock_subid_files(timeout):
        for path in subid_files():
            append_ids(path, missing_lines(wanted, read_text(path)))
