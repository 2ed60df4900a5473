# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals by name or number."""

from __future__ import annotations

import re
import signal

from ..._engine.decimal_number import decimal_number
from ..._errors import InvalidInput


def parse_signal(value: object, option: str) -> int:
    """The number of a signal: 15, TERM, SIGTERM, SIGRTMIN+3. Raises InvalidInput."""
    text = str(value).strip().upper()
    number = decimal_number(text, signal.SIGRTMAX + 1)
    if number:
        return number
    name = text if text.startswith("SIG") else f"SIG{text}"
    realtime = re.fullmatch(r"SIGRTMIN(?:\+([0-9]{1,2}))?", name)
    if realtime and signal.SIGRTMIN + int(realtime[1] or 0) <= signal.SIGRTMAX:
        return signal.SIGRTMIN + int(realtime[1] or 0)
    if name in signal.Signals.__members__:
        return int(signal.Signals[name])
    raise InvalidInput(f"{option} {value!r} is not a signal", "write a number or a name like SIGTERM or SIGRTMIN+3")
