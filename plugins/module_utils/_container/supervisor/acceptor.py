# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections of the supervisor's clients, also if it has no free descriptor."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

from .requests import ACCEPTED, LARGEST, answer

# Seconds for the request of a client that is refused, which sends it right after it has connected.
_SENT_WITHIN = 1.0


class Acceptor:
    """Accepts connections at a listening socket. A spare descriptor serves to refuse one if there is no other.

    Without it the socket would stay readable, and the event loop would not wait any more.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._spare: int | None = None
        self._open_spare()

    def accept(self) -> socket.socket | None:
        """Return the next connection; None if no client waits, or if it is refused."""
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._refuse(str(error.strerror))
            return None
        connection.setblocking(False)
        return connection

    def _refuse(self, reason: str) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                # Read first: after a close with unread data the client would get ECONNRESET instead of the answer.
                connection.settimeout(_SENT_WITHIN)
                connection.recv(LARGEST)
                connection.send(ACCEPTED)
                error = f"the supervisor has no free descriptor ({reason}). Stop containers, or raise that limit"
                answer(connection, {"error": error})
        self._open_spare()

    def _open_spare(self) -> None:
        with contextlib.suppress(OSError):
            self._spare = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
