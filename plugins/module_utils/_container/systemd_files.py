# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for systemd inside, in its /run: they make an instance of an image a machine of its own.

They are written at each start, before any process inside runs. The root file system stays as the image made it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from .._kernel import syscalls
from .._kernel.files.within_root import read_inside, write_files
from .kernel_files import NO_SYMLINKS

_MACHINE_ID, _UNINITIALIZED = "/etc/machine-id", b"uninitialized\n"
_UNITS = "systemd/system"
_HOST_KEYS = "ssh-host-keys.service"
_FILES = {
    # With NET_ADMIN, systemd-networkd would configure the interface that the host configures (systemd.network(5)).
    "systemd/network/00-conductor.network": "[Match]\nName=eth0\n\n[Link]\nUnmanaged=yes\n",
    # An image has no host keys, and Debian creates them only when openssh-server is installed.
    f"{_UNITS}/{_HOST_KEYS}": """\
[Unit]
Description=Create missing ssh host keys
DefaultDependencies=no
Before=ssh.service ssh.socket shutdown.target
Conflicts=shutdown.target
ConditionPathIsDirectory=/etc/ssh
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
ConditionFileIsExecutable=/usr/bin/ssh-keygen

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
""",
}
_LINKS = {
    **{f"{_UNITS}/{user}.wants/{_HOST_KEYS}": f"../{_HOST_KEYS}" for user in ("ssh.service", "ssh.socket")},
    # It asks questions on the console at the first boot, and a container has none.
    f"{_UNITS}/systemd-firstboot.service": "/dev/null",
}
# At its first boot systemd enables all units that its presets do not disable, also those that the image has disabled
# (systemd.preset(5)).
_PRESETS = [f"systemd/{kind}-preset/00-conductor.preset" for kind in ("system", "user")]
_FIRST_BOOT = {
    **dict.fromkeys(_PRESETS, "disable *\n"),
    # Removed while it boots (tmpfiles.d(5)): packages that are installed later enable their units by presets.
    "tmpfiles.d/conductor.conf": "".join(f"r! /run/{path}\n" for path in _PRESETS),
}


def begin_first_boot(root_fd: int) -> None:
    """Have systemd take the next boot for the first one if the image has no machine id (machine-id(5)).

    An image has an empty file, with which systemd creates an id but runs no unit with ConditionFirstBoot=. Raises
    OSError.
    """
    if read_inside(root_fd, _MACHINE_ID, 1) == b"":
        write_files(root_fd, {_MACHINE_ID: _UNINITIALIZED}, 0o444)


def write_systemd_files(root_fd: int) -> None:
    """Write the files to /run, which is new and empty. Raises OSError."""
    run_fd = syscalls.openat2(root_fd, "run", os.O_RDONLY | os.O_DIRECTORY, NO_SYMLINKS)
    try:
        machine_id = read_inside(root_fd, _MACHINE_ID, len(_UNINITIALIZED))
        _write(run_fd, {**_FILES, **(_FIRST_BOOT if machine_id in (None, _UNINITIALIZED) else {})})
    finally:
        os.close(run_fd)


def _write(run_fd: int, files: Mapping[str, str]) -> None:
    for path in (*files, *_LINKS):
        _make_directories(run_fd, os.path.dirname(path))
    for path, content in files.items():
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=run_fd)
        os.write(fd, content.encode())
        os.close(fd)
    for path, to in _LINKS.items():
        os.symlink(to, path, dir_fd=run_fd)


def _make_directories(run_fd: int, path: str) -> None:
    made = ""
    for part in path.split("/"):
        made += part
        if not _exists(run_fd, made):
            os.mkdir(made, 0o755, dir_fd=run_fd)
        made += "/"


def _exists(run_fd: int, path: str) -> bool:
    try:
        os.stat(path, dir_fd=run_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
