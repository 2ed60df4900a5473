# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection of a local socket to the agent on a host, made by the first task for all later ones (agent_client.py)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re

from ansible.errors import AnsibleError
from ansible.utils.path import makedirs_safe
from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import (
    NotRun,
    accepts_requests,
    no_forward_mark,
    secret_file,
)
from ansible_collections.conductor.containers.plugins.plugin_utils.perl_client import BundleMissing, Client
from ansible_collections.conductor.containers.plugins.plugin_utils.private_file import write_private
from ansible_collections.conductor.containers.plugins.plugin_utils.ssh_host import ManagedHost

# The answer to `admit` (module_utils/_agent/handler.py), a secret and a socket. A shell may print text before it.
_ADMITTED = re.compile(rb"(?:^|\s)([0-9a-f]{64}) (/run/conductor/admitted/[0-9a-f]+-[0-9]+)\s*$")
_LONGEST = 4096


def open_agent_socket(host: ManagedHost, socket: str, path: str, python: str) -> None:
    """Make the agent's `socket` on `host` available at the local `path`. The agent must be running.

    If the login user must become root, the agent admits the user (`python` is the host's), and the user's own socket is
    used. If it cannot be forwarded, for instance because ssh keeps no connection or the host forbids it, a mark says so
    for this run of Ansible.
    """
    mark = no_forward_mark(path)
    # The task itself has succeeded, so nothing in here may fail it.
    try:
        makedirs_safe(os.path.dirname(path), 0o700)
        with open(f"{mark}.lock", "w", encoding="ascii") as lock:
            # Without the lock, tasks that start at the same time would each open a socket.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.exists(mark) or accepts_requests(path) or _is_opened(host, socket, path, python):
                return
    except BlockingIOError:
        # Another task is opening it.
        return
    except (OSError, AnsibleError):
        pass
    with contextlib.suppress(OSError), open(mark, "w", encoding="ascii"):
        pass


def _is_opened(host: ManagedHost, socket: str, path: str, python: str) -> bool:
    if host.has_become:
        try:
            socket = _admitted(host, path, python)
        except (NotRun, BundleMissing, AnsibleError):
            return False
        # An earlier run of Ansible may have opened the socket.
        if accepts_requests(path):
            return True
    # Renamed only if it works. ssh does not replace a socket that an earlier connection left at `path`.
    new = f"{path}.{os.getpid()}"
    with contextlib.suppress(OSError):
        if host.forward_socket(socket, new) and accepts_requests(path, new):
            os.rename(new, path)
            return True
    host.cancel_forward(socket, new)
    with contextlib.suppress(OSError):
        os.unlink(new)
    return False


def _admitted(host: ManagedHost, path: str, python: str) -> str:
    """Have the agent admit the login user; save the secret, and return the user's socket on the host. Raises NotRun."""
    client = Client(["admit", host.user_id()], python)
    rc, stdout, _ = client.outcome(*host.run_with_secret_output(client.command))
    admitted = parse_admission(stdout)
    if rc or not admitted:
        raise NotRun("the answer of the host has no secret and socket")
    secret, socket = admitted
    write_private(secret_file(path), secret)
    return socket


def parse_admission(stdout: bytes) -> tuple[str, str] | None:
    """Return secret and socket in a host's answer to `admit`, which is untrusted input; None if it is invalid."""
    found = _ADMITTED.search(stdout[-_LONGEST:])
    return (found[1].decode(), found[2].decode()) if found else None
