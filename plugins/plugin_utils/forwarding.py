# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A socket of a managed host's on the controller, by the connection to it that ssh keeps open (ssh_config(5),
ControlPersist).

It stands next to that connection's own socket, is as open to others as that one, and ends with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
from collections.abc import Callable
from typing import Any

from ansible import constants as C
from ansible.utils.path import makedirs_safe, unfrackpath

# Options of ssh's plugin that tell one connection from another.
_WHICH = ("host", "port", "remote_user", "private_key_file", "control_path")
_ARGUMENTS = ("ssh_args", "ssh_common_args", "ssh_extra_args")


class Forwarding:
    """The socket `remote` of the host that `ssh` reaches, which is an object of ansible-core's ssh plugin."""

    def __init__(self, ssh: Any, remote: str) -> None:
        self._ssh = ssh
        self._remote = remote
        which = [remote, *(str(ssh.get_option(name)) for name in (*_WHICH, *_ARGUMENTS))]
        name = f"conductor-{hashlib.sha256(repr(which).encode()).hexdigest()[:10]}"
        self._directory = unfrackpath(ssh.get_option("control_path_dir"))
        self.path = os.path.join(self._directory, name)
        # It cannot be: known from the first task on to all others of this run.
        self._refused = os.path.join(C.DEFAULT_LOCAL_TMP, f"{name}-refused")

    @property
    def is_refused(self) -> bool:
        """Whether it was found out in this run of Ansible that there is no way."""
        return os.path.exists(self._refused)

    def open(self, is_answered: Callable[[str], bool]) -> None:
        """Have ssh forward it, where it is not: if `is_answered` tells so of a path, somebody is at its other end.

        Does nothing where that cannot be, as where ssh keeps no connection, or the host does not let it
        (AllowStreamLocalForwarding of sshd_config(5)).
        """
        makedirs_safe(self._directory, 0o700)
        with open(f"{self._refused}.lock", "w", encoding="ascii") as lock:
            # Else each of many tasks that begin at once would have its own.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.is_refused or is_answered(self.path):
                return
            # It gets its name when it works. ssh itself would not remove what a former connection has left there.
            new = f"{self.path}.{os.getpid()}"
            if self._control("forward", new) and is_answered(new):
                os.rename(new, self.path)
                return
            self._control("cancel", new)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
            with open(self._refused, "w", encoding="ascii"):
                pass

    def _control(self, verb: str, path: str) -> bool:
        """Ask the ssh that keeps the connection, if there is one; whether it did so."""
        forward = ["-O", verb, "-L", f"{path}:{self._remote}"]
        command = self._ssh._build_command(self._ssh.get_option("ssh_executable"), "ssh", *forward, self._ssh.host)
        asked = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return asked.returncode == 0

    def forget(self) -> None:
        """Have nobody use it from now on."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
