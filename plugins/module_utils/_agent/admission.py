# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets for users of this host who may become root, so that a login user becomes root once, not for each request.

A client that became root asks the agent once to admit its login user, and gets the path of a socket and a secret. Only
that user can reach the socket. Each request begins with the secret, which other processes of the user do not know.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable

from .._engine.paths import ADMITTED_DIR, RUN_DIR
from .._kernel.descriptors import close_other_descriptors
from .listener import is_listening, listen, serve


def admit(
    uid: int,
    path_of_root: str,
    admits: Callable[[int, bytes, socket.socket, list[str]], list[str] | None],
    answer: Callable[[socket.socket, list[str]], None],
) -> tuple[bytes, str]:
    """Start a process that serves the socket of user `uid`; return the user's secret and the path of the socket.

    While that process runs, each call returns the same secret and path. `path_of_root` is the socket of the agent.
    `admits` is called with `uid` and the secret in front of the arguments of `request_reader.AcceptRequest`.
    """
    name = f"{os.path.basename(path_of_root)}-{uid}"
    path = os.path.join(ADMITTED_DIR, name)
    os.makedirs(ADMITTED_DIR, mode=0o711, exist_ok=True)
    for directory in (RUN_DIR, ADMITTED_DIR):
        # Independent of the umask: users can traverse the directories to their socket, but cannot list them.
        os.chmod(directory, 0o711)
    # Only root can read the file, also because of its directory.
    with open(os.path.join(os.path.dirname(path_of_root), name), "a+b", opener=_for_root) as kept:
        # Without the lock, concurrent requests would replace each other's socket.
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        secret = kept.read()
        if secret and is_listening(path):
            return secret, path
        secret = os.urandom(32).hex().encode()
        listener = listen(path, uid)
        kept.truncate(0)
        kept.write(secret)
    if os.fork() == 0:
        try:
            close_other_descriptors({listener.fileno()})
            serve(listener, lambda connection, request: admits(uid, secret, connection, request), answer)
        finally:
            os._exit(0)
    return secret, path


def _for_root(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
