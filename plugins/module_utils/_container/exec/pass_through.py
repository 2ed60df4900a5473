# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy a caller's standard streams and signals to a command, until the command has ended."""

from __future__ import annotations

import contextlib
import os

from ..._kernel.stream_pump import Flow, Signals, drain, relay


def pass_through(
    child: int, leader: int, ours: tuple[int, int, int], callers: tuple[int, int, int], signals: int
) -> None:
    """Copy between the streams `callers` and `ours`, the other ends of the command's pipes, which are closed.

    Returns when the process of the pidfd `child` has ended, and what it has written is copied. Each signal that is read
    from `signals` as a byte goes to the process group of `leader`. Raises BrokenPipeError if `signals` ends.
    """
    stdin, stdout, stderr = ours
    for fd in ours:
        os.set_blocking(fd, False)
    inward = Flow(callers[0], stdin, closes_sink=True)
    outward = [Flow(stdout, callers[1], closes_source=True), Flow(stderr, callers[2], closes_source=True)]

    def on_signal(number: int) -> bool:
        # As on a terminal, where the whole pipeline or script gets the signal. The command decides how it ends.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, number)
        return True

    relay(child, [inward, *outward], signals=Signals(signals, on_signal))
    inward.end()
    for flow in outward:
        drain(flow, signals)
