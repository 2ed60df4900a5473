# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the first task on a host opens the way for all others, which then speak to the server there (agent_client.py)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re

from ansible.errors import AnsibleError
from ansible.utils.path import makedirs_safe
from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import (
    NotRun,
    is_answered,
    refused_mark,
    secret_file,
)
from ansible_collections.conductor.containers.plugins.plugin_utils.perl_client import Client, ProgramMissing
from ansible_collections.conductor.containers.plugins.plugin_utils.ssh_host import ManagedHost

# What root says (module_utils/_agent/handler.py) after whatever a shell says when it starts: a secret and a socket.
_TOLD = re.compile(rb"(?:^|\s)([0-9a-f]{64}) (/run/conductor/admitted/[0-9a-f]+-[0-9]+)\s*$")
_LONGEST = 4096


def open_way(host: ManagedHost, socket: str, path: str, python: str) -> None:
    """Have root's `socket` of `host`, at which somebody serves already, at `path` of this machine.

    Where root has to be become there, it is a socket of the user's, whom root admits: `python` is the host's. Where
    there is no way, only that is remembered for this run of Ansible: as where ssh keeps no connection, or the host does
    not let it.
    """
    makedirs_safe(os.path.dirname(path), 0o700)
    mark = refused_mark(path)
    with open(f"{mark}.lock", "w", encoding="ascii") as lock:
        # Else each of many tasks that begin at once would have its own.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(mark) or is_answered(path) or _is_opened(host, socket, path, python):
            return
        with open(mark, "w", encoding="ascii"):
            pass


def _is_opened(host: ManagedHost, socket: str, path: str, python: str) -> bool:
    if host.has_become:
        try:
            socket = _admitted(host, path, python)
        # The task is done, and no failure of it.
        except (NotRun, ProgramMissing, AnsibleError):
            return False
        # By what an earlier run of Ansible has opened.
        if is_answered(path):
            return True
    # It gets its name when it works. What a former connection has left there is nothing that ssh would remove.
    new = f"{path}.{os.getpid()}"
    if host.bring(socket, new) and is_answered(path, new):
        os.rename(new, path)
        return True
    host.drop(socket, new)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    return False


def _admitted(host: ManagedHost, path: str, python: str) -> str:
    """Have who logs in admitted by root: their socket on the host. What root tells is kept. Raises NotRun."""
    client = Client(["admit", host.user_id()], python)
    rc, stdout, _ = client.outcome(*host.run_unshown(client.command))
    told = _TOLD.search(stdout[-_LONGEST:])
    if rc or not told:
        raise NotRun("the host's answer is no secret and socket")
    secret, socket = (part.decode() for part in told.groups())
    kept = secret_file(path)
    with open(f"{kept}.{os.getpid()}", "w", encoding="ascii", opener=_for_us) as file:
        file.write(secret)
    os.replace(file.name, kept)
    return socket


def _for_us(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
