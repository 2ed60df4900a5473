# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running commands in the root file system of an image that is being made."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from .._linux import libc, seccomp
from .._linux.inside_root import directory_inside, exists_inside, write_files
from .._model import capabilities
from .._model.image import Command
from .._store.seccomp_filters import default_filter
from .isolated import run_logged
from .neutral import opened

_SAFE = libc.MS_NOSUID | libc.MS_NOEXEC | libc.MS_NODEV
_NODES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
# Through these root could change the host without any capability.
_READ_ONLY = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs")


def run_commands(commands: Iterable[Command], rootfs: str, log: str, environment: Mapping[str, str]) -> None:
    """Run each of `commands` with `rootfs` as its root and the host's network. Raises EffectFailed."""
    commands = tuple(commands)
    if not commands:
        return
    programs = default_filter(capabilities.DEFAULT).programs
    with opened(rootfs) as root, _name_servers(root):
        if exists_inside(root, "/usr/sbin"):
            # Packages must not start their services here (invoke-rc.d(8)); taken out again with what else is ours.
            write_files(root, {"/usr/sbin/policy-rc.d": b"#!/bin/sh\nexit 101\n"}, 0o755)
        for command in commands:
            argv = ["/bin/sh", "-ec", command] if isinstance(command, str) else list(command)
            shown = command if isinstance(command, str) else " ".join(command)
            enter = partial(_enter, rootfs, programs)
            run_logged(argv, log, f"command {shown!r}", prepare=enter, environment=environment)


@contextlib.contextmanager
def _name_servers(root: int) -> Iterator[None]:
    """The host's name servers for the block; afterwards a link in that place is as it was."""
    try:
        with open("/etc/resolv.conf", "rb") as file:
            servers = file.read()
    except FileNotFoundError:
        servers = b""
    link = None
    with directory_inside(root, "/etc") as etc:
        if etc is not None and "resolv.conf" in os.listdir(etc):
            mode = os.stat("resolv.conf", dir_fd=etc, follow_symlinks=False).st_mode
            link = os.readlink("resolv.conf", dir_fd=etc) if stat.S_ISLNK(mode) else None
    write_files(root, {"/etc/resolv.conf": servers})
    yield
    with directory_inside(root, "/etc") as etc:
        if link is not None and etc is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink("resolv.conf", dir_fd=etc)
            os.symlink(link, "resolv.conf", dir_fd=etc)


def _enter(rootfs: str, programs: tuple[bytes, ...]) -> None:
    """Make `rootfs` the root of this process, which has its own namespaces, and leave it no way to the host's files,
    nor the system calls that `programs` refuse.

    All mounts come after that: whatever links are in there, they lead to places inside.
    """
    libc.mount(rootfs, rootfs, None, libc.MS_BIND | libc.MS_REC)
    os.chdir(rootfs)
    # pivot_root(2), section "pivot_root(".", ".")".
    libc.pivot_root(".", ".")
    libc.umount2(".", libc.MNT_DETACH)
    os.chdir("/")
    for target, kind, flags, data in (
        ("/proc", "proc", _SAFE, None),
        ("/sys", "sysfs", _SAFE | libc.MS_RDONLY, None),
        ("/tmp", "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, "mode=1777"),
        ("/dev", "tmpfs", libc.MS_NOSUID | libc.MS_NOEXEC, "mode=755"),
        ("/dev/pts", "devpts", libc.MS_NOSUID | libc.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5"),
        ("/dev/shm", "tmpfs", _SAFE, "mode=1777"),
    ):
        os.makedirs(target, exist_ok=True)
        libc.mount(kind, target, kind, flags, data)
    for path in _READ_ONLY:
        if os.path.exists(path):
            libc.mount(path, path, None, libc.MS_BIND | libc.MS_REC)
            libc.mount("", path, None, libc.MS_BIND | libc.MS_REMOUNT | libc.MS_RDONLY | _SAFE)
    for name, major, minor in _NODES:
        os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o666, os.makedev(major, minor))
        os.chmod(f"/dev/{name}", 0o666)
    for name, to in _LINKS.items():
        os.symlink(to, f"/dev/{name}")
    seccomp.load(programs)
    _limit(capabilities.mask(capabilities.DEFAULT))


def _limit(mask: int) -> None:
    """Keep the capabilities of `mask` only, here and in all programs that follow (capabilities(7))."""
    for number in range(64):
        if not mask >> number & 1:
            try:
                libc.prctl(libc.PR_CAPBSET_DROP, number)
            except OSError:
                # EINVAL: the running kernel has no more capabilities than this.
                break
    # What this process lacks itself, it cannot ask for.
    libc.capset(mask & libc.permitted_capabilities())
