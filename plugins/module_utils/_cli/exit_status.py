# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exit statuses of the host command."""

from __future__ import annotations

from .._errors import (
    ConductorError,
    Conflict,
    Damaged,
    EffectFailed,
    HostNotCapable,
    InvalidInput,
    LockTimeout,
    NotFound,
)

# By error class; the help text in parser.py documents them. 2 is the status of argparse.
EXIT = {
    NotFound: 3,
    Conflict: 4,
    InvalidInput: 5,
    HostNotCapable: 6,
    Damaged: 7,
    EffectFailed: 8,
    LockTimeout: 9,
}


def status_of(error: ConductorError) -> int:
    """Return the exit status for `error`."""
    return next((code for kind, code in EXIT.items() if isinstance(error, kind)), EXIT[EffectFailed])
