# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwarding of sockets from a managed host to the controller over a persistent ssh connection.

See ControlPersist in ssh_config(5). A forwarded socket has the same protection against other users as the control
socket of that connection, and ends with it.
"""

from __future__ import annotations

import subprocess
from typing import Any


def forward(ssh: Any, remote: str, path: str) -> bool:
    """Forward the socket `remote` of the host to `path`; return whether ssh does so.

    `ssh` is a connection of ansible-core's ssh plugin that has run a command. True does not mean that the socket works:
    the host can refuse each connection later (AllowStreamLocalForwarding in sshd_config(5)).
    """
    return _control(ssh, "forward", path, remote)


def cancel(ssh: Any, remote: str, path: str) -> None:
    """Undo `forward`."""
    _control(ssh, "cancel", path, remote)


def _control(ssh: Any, verb: str, path: str, remote: str) -> bool:
    """Send a control command to the ssh process with the persistent connection (ssh(1), -O); return its success."""
    control = ["-O", verb, "-L", f"{path}:{remote}"]
    command = ssh._build_command(ssh.get_option("ssh_executable"), "ssh", *control, ssh.host)
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
