# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verb of the host command for a client on this host (_cli/by_agent.py), in a process that has all modules loaded."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator

from .._cli.main import run_verb
from .client import ACCEPTED, NOT_RUN, environment_of, is_like_this_process, require_client, streams_of

# Signals that a client passes on.
_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)


def run_for_client(connection: socket.socket, arguments: list[str], client: int) -> bytes:
    """Run the verb of `arguments` with the streams, directory and environment of the process `client`.

    Returns the answer after ACCEPTED. Call this in a process of its own, which a signal to the client also ends, as
    does the end of the client. Raises BrokenPipeError if the client has disconnected.
    """
    try:
        if not is_like_this_process(client):
            return NOT_RUN
        streams, environment = streams_of(client), environment_of(client)
        os.chdir(f"/proc/{client}/cwd")
    except OSError:
        return NOT_RUN
    require_client(connection)
    os.environb.clear()
    os.environb.update(environment)
    time.tzset()
    _use_as_standard_streams(streams)
    connection.sendall(ACCEPTED)
    with _signals_of(connection):
        status = run_verb(arguments)
    # Readers of the output see its end before that of the client.
    for number in range(3):
        os.close(number)
    return str(status).encode()


def _use_as_standard_streams(streams: tuple[int, int, int]) -> None:
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    # Those of the agent remember properties of other files.
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)


@contextlib.contextmanager
def _signals_of(connection: socket.socket) -> Iterator[None]:
    """In the block this process receives each signal that the client passes on, and SIGHUP when the client ends."""

    def on_data(*_: object) -> None:
        while True:
            try:
                received = connection.recv(64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                received = b""
            for number in received or [signal.SIGHUP]:
                if number in _SIGNALS:
                    signal.raise_signal(number)
            if not received:
                return

    # As Python has it at its start. The agent has changed it (daemon.py).
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGIO, on_data)
    fd = connection.fileno()
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_ASYNC)
    # Signals that came before.
    on_data()
    yield
    fcntl.fcntl(fd, fcntl.F_SETFL, flags)
