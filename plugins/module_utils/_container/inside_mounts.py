# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container sees besides its root file system: /proc, /sys, /dev, and the mounts that its user asked for.

Runs in the container's own mount namespace, before pivot_root. Every target is opened below the root without following
a link (the image, or what the container wrote before, may hold any), and mounted on by descriptor.
The conventions: https://systemd.io/CONTAINER_INTERFACE and the OCI runtime specification (config-linux.md).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from .._errors import EffectFailed
from .._linux import libc
from .._model.container import ContainerSpec
from .._model.mounts import Mount

_NO_LINKS = libc.RESOLVE_IN_ROOT | libc.RESOLVE_NO_SYMLINKS | libc.RESOLVE_NO_MAGICLINKS
_SAFE = libc.MS_NOSUID | libc.MS_NOEXEC | libc.MS_NODEV
_SAFE_ATTR = libc.MOUNT_ATTR_NOSUID | libc.MOUNT_ATTR_NOEXEC | libc.MOUNT_ATTR_NODEV

# As runc and docker mask them: they tell of the host, or act on it.
_MASKED = (
    "/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi "
    "/proc/timer_list /proc/timer_stats /sys/firmware /sys/devices/virtual/powercap"
).split()
_READ_ONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()

# Name, major, minor: Documentation/admin-guide/devices.txt. net/tun is what VPN software looks for.
_NODES = (
    ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0),
    ("net/tun", 10, 200),
)  # fmt: skip
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}


def mount_all(root: str, spec: ContainerSpec) -> None:
    """Everything below `root` (a mount point in this namespace) that `spec` asks for. Raises OSError, EffectFailed.

    For a process whose umask is 0.
    """
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        open_up = spec.privileged
        _mount(root_fd, "/proc", "proc", _SAFE)
        _mount(root_fd, "/sys", "sysfs", _SAFE | (0 if open_up else libc.MS_RDONLY))
        _cgroup(root_fd, writable=open_up or spec.init)
        _host_dev(root_fd) if spec.dev == "host" else _private_dev(root_fd)
        if not open_up:
            _restrict(root_fd)
        if spec.init:
            for target, mode in (("/run", "755"), ("/run/lock", "1777"), ("/tmp", "1777")):
                _mount(root_fd, target, "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, f"mode={mode}")
        for mount in spec.mounts:
            _bind(root_fd, mount) if mount.type == "bind" else _tmpfs(root_fd, mount)
    finally:
        os.close(root_fd)


@contextlib.contextmanager
def _target(root_fd: int, path: str, directory: bool = True):
    """The path of a descriptor of `path` below the root, which is made where it is missing."""
    fd = _open_or_make(root_fd, path.strip("/").split("/"), directory)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _open_or_make(root_fd: int, parts: list[str], directory: bool) -> int:
    path = "/".join(parts)
    try:
        return libc.openat2(root_fd, path, os.O_PATH, _NO_LINKS)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise EffectFailed(f"mount target /{path}: {error.strerror}", "a link on the way is not followed") from error
    parent_fd = _open_or_make(root_fd, parts[:-1], True) if parts[1:] else os.dup(root_fd)
    try:
        with contextlib.suppress(FileExistsError):
            if directory:
                os.mkdir(parts[-1], 0o755, dir_fd=parent_fd)
            else:
                os.close(os.open(parts[-1], os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=parent_fd))
        return libc.openat2(root_fd, path, os.O_PATH, _NO_LINKS)
    finally:
        os.close(parent_fd)


def _mount(root_fd: int, path: str, fstype: str, flags: int, data: str | None = None) -> None:
    with _target(root_fd, path) as target:
        libc.mount(fstype, target, fstype, flags, data)


def _cgroup(root_fd: int, writable: bool) -> None:
    """The container's own cgroup as the root of version 2, where systemd inside looks for it."""
    try:
        _mount(root_fd, "/sys/fs/cgroup", "cgroup2", _SAFE | (0 if writable else libc.MS_RDONLY))
    except OSError as error:
        # A kernel with version 1 only has no such file system, and nothing inside can need it then.
        if error.errno != errno.ENODEV:
            raise


def _private_dev(root_fd: int) -> None:
    _mount(root_fd, "/dev", "tmpfs", libc.MS_NOSUID | libc.MS_NOEXEC, "mode=755,size=64k")
    dev_fd = libc.openat2(root_fd, "dev", os.O_RDONLY | os.O_DIRECTORY, _NO_LINKS)
    try:
        os.mkdir("net", 0o755, dir_fd=dev_fd)
        for name, major, minor in _NODES:
            os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(major, minor), dir_fd=dev_fd)
        for name, to in _LINKS.items():
            os.symlink(to, name, dir_fd=dev_fd)
        for name in ("pts", "shm", "mqueue"):
            os.mkdir(name, 0o755, dir_fd=dev_fd)
    finally:
        os.close(dev_fd)
    # gid 5 is tty in Debian's base-passwd; grantpt(3) wants the terminals in it.
    _mount(root_fd, "/dev/pts", "devpts", libc.MS_NOSUID | libc.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5")
    _mount(root_fd, "/dev/shm", "tmpfs", _SAFE, "mode=1777,size=64m")
    _mount(root_fd, "/dev/mqueue", "mqueue", _SAFE)


def _host_dev(root_fd: int) -> None:
    with _target(root_fd, "/dev") as target:
        libc.mount("/dev", target, None, libc.MS_BIND | libc.MS_REC)


def _restrict(root_fd: int) -> None:
    for path in _READ_ONLY:
        with contextlib.suppress(FileNotFoundError):
            _mount_read_only(libc.openat2(root_fd, path[1:], os.O_PATH, _NO_LINKS))
    for path in _MASKED:
        with contextlib.suppress(FileNotFoundError):
            _mask(libc.openat2(root_fd, path[1:], os.O_PATH, _NO_LINKS))


def _mount_read_only(fd: int) -> None:
    """What is at `fd` once more on itself, to be read only. Closes `fd`."""
    tree = libc.open_tree("", dirfd=fd)
    libc.mount_setattr(tree, libc.MOUNT_ATTR_RDONLY | _SAFE_ATTR)
    libc.move_mount(tree, fd)
    os.close(tree)
    os.close(fd)


def _mask(fd: int) -> None:
    """Nothing instead of what is at `fd`. Closes `fd`."""
    target = f"/proc/self/fd/{fd}"
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        libc.mount("tmpfs", target, "tmpfs", libc.MS_RDONLY | _SAFE, "size=0,mode=000")
    else:
        libc.mount("/dev/null", target, None, libc.MS_BIND)
    os.close(fd)


def _bind(root_fd: int, mount: Mount) -> None:
    tree = libc.open_tree(mount.source)
    try:
        kind = os.fstat(tree).st_mode
        attributes = libc.MOUNT_ATTR_RDONLY if mount.read_only else 0
        if stat.S_ISDIR(kind):
            # A directory that somebody shares is no way in for device nodes; a device itself, named, is.
            attributes |= libc.MOUNT_ATTR_NODEV
        if attributes:
            libc.mount_setattr(tree, attributes)
        fd = _open_or_make(root_fd, mount.target.strip("/").split("/"), stat.S_ISDIR(kind))
        try:
            libc.move_mount(tree, fd)
        except OSError as error:
            raise EffectFailed(f"mount of {mount.source} on {mount.target}: {error.strerror}") from error
        finally:
            os.close(fd)
    finally:
        os.close(tree)


def _tmpfs(root_fd: int, mount: Mount) -> None:
    flags = libc.MS_NOSUID | libc.MS_NODEV | (libc.MS_RDONLY if mount.read_only else 0)
    _mount(root_fd, mount.target, "tmpfs", flags, f"mode=1777{f',size={mount.size}' if mount.size else ''}")
