# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the kernel inside, in /proc and /sys: which are hidden, read-only, or the container's own.

Runs in the container's own mount namespace, before pivot_root, while no process inside runs.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat

from .._kernel import syscalls

NO_SYMLINKS = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_SYMLINKS | syscalls.RESOLVE_NO_MAGICLINKS
SAFE = syscalls.MS_NOSUID | syscalls.MS_NOEXEC | syscalls.MS_NODEV
SAFE_ATTR = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NOEXEC | syscalls.MOUNT_ATTR_NODEV

# All paths that docker, podman or systemd-nspawn mask: they reveal information about the host, or act on it.
MASKED = (
    "/proc/acpi /proc/asound /proc/interrupts /proc/kallsyms /proc/kcore /proc/keys /proc/latency_stats "
    "/proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/dev/block /sys/devices/virtual/powercap "
    "/sys/firmware /sys/fs/selinux"
).split()
# Of each cpuN: its counters show the activity of other containers, too (GHSA-6fw5-f8r9-fgfm of moby).
_CPUS, _OF_CPU = "/sys/devices/system/cpu", "thermal_throttle"
# Parts of /proc/sys that belong to a namespace of the container (sysctl(5), ipc_namespaces(7), uts_namespaces(7)).
_NAMESPACED_SYSCTLS = (
    "net fs/mqueue kernel/hostname kernel/domainname kernel/shmmax kernel/shmall kernel/shmmni "
    "kernel/shm_rmid_forced kernel/msgmax kernel/msgmnb kernel/msgmni kernel/sem"
).split()
# Files of lxcfs(1) on the host, which show a container its own limits and use, if it runs there.
_LXCFS = "/var/lib/lxcfs/proc"
_OF_LXCFS = "cpuinfo diskstats loadavg meminfo stat swaps uptime".split()
READ_ONLY = "/proc/bus /proc/fs /proc/irq /proc/sysrq-trigger".split()


def restrict_kernel_files(root_fd: int, own_sysctls: bool) -> None:
    """Make the paths READ_ONLY read-only and cover the paths MASKED, as far as they exist below the root.

    With `own_sysctls`, settings of the container's namespaces stay writable.
    """
    for path in READ_ONLY:
        with contextlib.suppress(FileNotFoundError):
            mount_read_only(syscalls.openat2(root_fd, path[1:], os.O_PATH, NO_SYMLINKS))
    for path in (*MASKED, *per_cpu_paths(root_fd)):
        with contextlib.suppress(FileNotFoundError):
            mask_path(syscalls.openat2(root_fd, path[1:], os.O_PATH, NO_SYMLINKS))
    if own_sysctls:
        protect_sysctls_of_host(root_fd)
    else:
        mount_read_only(syscalls.openat2(root_fd, "proc/sys", os.O_PATH, NO_SYMLINKS))


def protect_sysctls_of_host(root_fd: int) -> None:
    """Make /proc/sys read-only, except for settings of the container's namespaces.

    A mount of the option mounts on /proc/sys, or on a file in it, is made later and takes precedence.
    """
    own = {}
    for name in _NAMESPACED_SYSCTLS:
        with contextlib.suppress(FileNotFoundError):
            fd = syscalls.openat2(root_fd, f"proc/sys/{name}", os.O_PATH, NO_SYMLINKS)
            own[name] = syscalls.open_tree("", dirfd=fd)
            os.close(fd)
    mount_read_only(syscalls.openat2(root_fd, "proc/sys", os.O_PATH, NO_SYMLINKS))
    for name, tree in own.items():
        fd = syscalls.openat2(root_fd, f"proc/sys/{name}", os.O_PATH, NO_SYMLINKS)
        syscalls.move_mount(tree, fd)
        os.close(tree)
        os.close(fd)


def make_boot_id(root_fd: int) -> int:
    """Return a detached mount of a new file with an own boot id (random(4)). Unmounts the tmpfs that is on /proc.

    The host's would tell programs like ansible.builtin.reboot that a restart of the container was none. The file
    stays in memory as long as it is mounted.
    """
    proc = syscalls.openat2(root_fd, "proc", os.O_PATH | os.O_DIRECTORY, NO_SYMLINKS)
    with open("/proc/sys/kernel/random/uuid", "rb") as source:
        text = source.read()
    fd = os.open("boot_id", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444, dir_fd=proc)
    os.write(fd, text)
    os.close(fd)
    file = syscalls.openat2(proc, "boot_id", os.O_PATH, NO_SYMLINKS)
    tree = syscalls.open_tree("", dirfd=file)
    syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY | SAFE_ATTR)
    os.close(file)
    syscalls.umount2(f"/proc/self/fd/{proc}", syscalls.MNT_DETACH)
    os.close(proc)
    return tree


def show_boot_id(root_fd: int, tree: int) -> None:
    """Mount the result of `make_boot_id` where programs read it, and close it."""
    fd = syscalls.openat2(root_fd, "proc/sys/kernel/random/boot_id", os.O_PATH, NO_SYMLINKS)
    syscalls.move_mount(tree, fd)
    os.close(fd)
    os.close(tree)


def show_lxcfs(root_fd: int) -> None:
    """Mount the files of lxcfs over those of /proc, as LXC and Incus do, as far as the host has them."""
    for name in _OF_LXCFS:
        try:
            tree = syscalls.open_tree(f"{_LXCFS}/{name}", recursive=False)
        except OSError:
            # ENOENT without lxcfs, ENOTCONN if it was killed.
            return
        syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY | SAFE_ATTR)
        fd = syscalls.openat2(root_fd, f"proc/{name}", os.O_PATH, NO_SYMLINKS)
        syscalls.move_mount(tree, fd)
        os.close(fd)
        os.close(tree)


def per_cpu_paths(root_fd: int) -> list[str]:
    """Paths to mask below the directory of each CPU, which depend on the machine."""
    try:
        fd = syscalls.openat2(root_fd, _CPUS[1:], os.O_RDONLY | os.O_DIRECTORY, NO_SYMLINKS)
    except FileNotFoundError:
        return []
    try:
        return [f"{_CPUS}/{name}/{_OF_CPU}" for name in os.listdir(fd) if re.fullmatch(r"cpu\d+", name)]
    finally:
        os.close(fd)


def mount_read_only(fd: int) -> None:
    """Bind-mount the file or directory `fd` on itself, read-only. Closes `fd`."""
    tree = syscalls.open_tree("", dirfd=fd)
    syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY | SAFE_ATTR)
    syscalls.move_mount(tree, fd)
    os.close(tree)
    os.close(fd)


def mask_path(fd: int) -> None:
    """Cover the directory `fd` with an empty one, or the file `fd` with /dev/null. Closes `fd`."""
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        syscalls.mount("tmpfs", f"/proc/self/fd/{fd}", "tmpfs", syscalls.MS_RDONLY | SAFE, "size=0,mode=000")
    else:
        # The host's /dev/null, opened before any process inside runs (CVE-2025-31133). Read-only, since root inside
        # could otherwise change its mode if it is root on the host.
        tree = syscalls.open_tree("/dev/null", recursive=False)
        syscalls.mount_setattr(
            tree, syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NOEXEC
        )
        syscalls.move_mount(tree, fd)
        os.close(tree)
    os.close(fd)
