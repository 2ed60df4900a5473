# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets of a managed host on the controller, by the connection that ssh keeps open (ssh_config(5), ControlPersist).

They are as open to others as that connection's own socket, and end with it.
"""

from __future__ import annotations

import subprocess
from typing import Any


def forward(ssh: Any, remote: str, path: str) -> bool:
    """Have `remote` at `path`; whether ssh does so. `ssh` is an object of ansible-core's plugin that has run a command.

    That somebody answers there is not said: a host may refuse it later (AllowStreamLocalForwarding of sshd_config(5)).
    """
    return _control(ssh, "forward", path, remote)


def cancel(ssh: Any, remote: str, path: str) -> None:
    """Undo `forward`."""
    _control(ssh, "cancel", path, remote)


def _control(ssh: Any, verb: str, path: str, remote: str) -> bool:
    """Ask the ssh that keeps the connection, if there is one; whether it did so (ssh(1), -O)."""
    control = ["-O", verb, "-L", f"{path}:{remote}"]
    command = ssh._build_command(ssh.get_option("ssh_executable"), "ssh", *control, ssh.host)
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
