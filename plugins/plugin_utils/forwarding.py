# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets of a managed host on the controller, by the connection that ssh keeps open (ssh_config(5), ControlPersist).

They stand next to that connection's own socket, are as open to others as that one, and end with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Callable
from typing import Any

from ansible.utils.path import makedirs_safe
from ansible_collections.conductor.containers.plugins.plugin_utils.stream import refused_mark


def forward(ssh: Any, remote: str, path: str, is_answered: Callable[[str], bool]) -> None:
    """Have `remote` at `path`. `ssh` is an object of ansible-core's ssh plugin that has run a command.

    Somebody has to serve there already, and `is_answered` tells of a path whether it leads to them. Does nothing but
    remember it for this run of Ansible where it cannot be: ssh keeps no connection, or the host does not let it
    (AllowStreamLocalForwarding of sshd_config(5)).
    """
    makedirs_safe(os.path.dirname(path), 0o700)
    mark = refused_mark(path)
    with open(f"{mark}.lock", "w", encoding="ascii") as lock:
        # Else each of many tasks that begin at once would have its own.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(mark) or is_answered(path):
            return
        # It gets its name when it works. ssh itself would not remove what a former connection has left there.
        new = f"{path}.{os.getpid()}"
        if _control(ssh, "forward", new, remote) and is_answered(new):
            os.rename(new, path)
            return
        _control(ssh, "cancel", new, remote)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        with open(mark, "w", encoding="ascii"):
            pass


def _control(ssh: Any, verb: str, path: str, remote: str) -> bool:
    """Ask the ssh that keeps the connection, if there is one; whether it did so (ssh(1), -O)."""
    control = ["-O", verb, "-L", f"{path}:{remote}"]
    command = ssh._build_command(ssh.get_option("ssh_executable"), "ssh", *control, ssh.host)
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
