# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket for a user of this host who may become root, so that who logs in as that user need not do so once a request.

Becoming root is asked for once, by whoever asks to be admitted, and only they are told the secret with which requests
begin there: no other user can reach the socket, and no other process of the same user's knows what to say.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable

from .._container.exec.privileges import close_others
from .._engine.paths import ADMITTED_DIR, RUN_DIR
from .listener import is_answered, listen, serve


def admit(
    uid: int,
    path_of_root: str,
    admits: Callable[[int, bytes, socket.socket, list[str]], list[str] | None],
    answer: Callable[[socket.socket, list[str]], None],
) -> tuple[bytes, str]:
    """The secret of user `uid` and the path of their socket, where a process of its own serves: `admits` is given both.

    All who are admitted while it does have the same. `path_of_root` is the socket at which it was asked for.
    """
    name = f"{os.path.basename(path_of_root)}-{uid}"
    path = os.path.join(ADMITTED_DIR, name)
    os.makedirs(ADMITTED_DIR, mode=0o711, exist_ok=True)
    for directory in (RUN_DIR, ADMITTED_DIR):
        # Whatever the umask was: users get to their socket, and see nothing else.
        os.chmod(directory, 0o711)
    # Root's alone, by the directory, too.
    with open(os.path.join(os.path.dirname(path_of_root), name), "a+b", opener=_for_root) as kept:
        # Two that come at the same time would take the socket away from each other.
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        secret = kept.read()
        if secret and is_answered(path):
            return secret, path
        secret = os.urandom(32).hex().encode()
        listener = listen(path, uid)
        kept.truncate(0)
        kept.write(secret)
    if os.fork() == 0:
        try:
            close_others({listener.fileno()})
            serve(listener, lambda connection, request: admits(uid, secret, connection, request), answer)
        finally:
            os._exit(0)
    return secret, path


def _for_root(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
