# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's first process: its namespaces, its root, and its command.

Three processes make it. The first, still root of the host, joins the cgroup and sets the limits, enters the container's
user namespace and clones the first process, whose namespaces thus belong to that one: so reboot(2) inside ends the
container and nothing else (reboot_pid_ns() of the kernel). Both have the rights of the container only. A third one,
root of the host in all other namespaces of the container, mounts its root.
"""

from __future__ import annotations

import os
import sys

from .._engine.paths import ContainerPaths
from .._errors import EffectFailed
from .._kernel import syscalls, user_namespace
from .._kernel.cgroup import CgroupEntry
from .._kernel.descriptors import close_other_descriptors
from .._kernel.rlimits import Limits, set_oom_score
from .exec.privileges import Confinement, become_and_exec, error_line
from .limits import raise_limits
from .mounts import mount_all
from .spec.container import ContainerSpec
from .sysctls import write_ipc_sysctls, write_network_sysctls

# Namespaces that the process that mounts the root joins. It is created in the pid namespace.
_JOINED = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWCGROUP
)
_READY = b"r"


def fork_first_process(
    paths: ContainerPaths,
    spec: ContainerSpec,
    entry: CgroupEntry,
    root_id: int,
    confinement: Confinement,
    go_fd: int,
    error_fd: int,
    streams: tuple[int, int, int] | None = None,
) -> int | None:
    """Create the container's first process, with its root mounted, as a child of the caller; return its pid.

    `entry` is the container's cgroup, `root_id` the host's id of root inside. `streams` are its standard input, output
    and error; None for an input on which a read blocks, and the container's log.

    It executes the command after a byte from `go_fd`, which says that the run state is written, and exits if `go_fd` is
    closed instead. On failure, here or there, one line is written to `error_fd`; a successful exec closes it (all are
    close-on-exec). Returns None after a failure here.
    """
    reader, writer = os.pipe()
    creator = entry.fork()
    if creator == 0:
        _create(paths, spec, entry, root_id, confinement, go_fd, error_fd, writer, streams)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(creator, 0)
    # Both of them write, in any order.
    number = answer.replace(_READY, b"")
    if not number:
        return None
    pid = int(number)
    if _READY in answer and _is_root_mounted(paths, spec, root_id, pid, error_fd):
        return pid
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return None


def _create(
    paths: ContainerPaths,
    spec: ContainerSpec,
    entry: CgroupEntry,
    root_id: int,
    confinement: Confinement,
    go_fd: int,
    error_fd: int,
    report_fd: int,
    streams: tuple[int, int, int] | None,
) -> None:
    """Clone the first process, and write its pid to `report_fd`. Never returns."""
    try:
        entry.join()
        # Among them are locks of the module, which must not be held for the container's lifetime.
        close_other_descriptors({go_fd, error_fd, report_fd, *(streams or ())})
        set_oom_score(confinement.oom_score_adj)
        # Requires root on the host, which this process no longer is when the limits are set.
        limits = raise_limits(confinement.ulimits)
        # The container must not get keys of the user that runs the module.
        syscalls.new_session_keyring()
        netns = os.open(paths.netns, os.O_RDONLY | os.O_CLOEXEC)
        userns_fd = user_namespace.owner(netns)
        streams = streams or _log_streams(paths.log, root_id)
        root = os.stat(paths.rootfs)
        # pivot_root(2) changes the root and working directory of the processes that have the old root there.
        os.chdir("/")
        syscalls.setns(netns, syscalls.CLONE_NEWNET)
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount("", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        os.close(netns)
        if userns_fd is not None:
            user_namespace.enter(userns_fd)
            os.close(userns_fd)
        write_network_sysctls(spec.sysctls)
        child = syscalls.clone3(syscalls.CLONE_NEWPID | syscalls.CLONE_PARENT)
        if child == 0:
            # The mount namespace of a user namespace is a copy, in which mounts and their restrictions are locked
            # (mount_namespaces(7)): masked paths stay masked.
            copy = 0 if userns_fd is None else syscalls.CLONE_NEWNS
            _run(spec, confinement, limits, (root.st_dev, root.st_ino), copy, go_fd, error_fd, report_fd, streams)
        os.write(report_fd, str(child).encode())
        os._exit(0)
    except BaseException as error:
        os.write(error_fd, error_line(error))
    finally:
        sys.stderr = sys.stdout = None
        os._exit(127)


def _run(
    spec: ContainerSpec,
    confinement: Confinement,
    limits: Limits,
    root: tuple[int, int],
    copy: int,
    go_fd: int,
    error_fd: int,
    report_fd: int,
    streams: tuple[int, int, int],
) -> None:
    """Become the command, as pid 1. Never returns. `root`: device and inode of the root that another process mounts."""
    try:
        os.setsid()
        syscalls.unshare(syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWCGROUP)
        os.write(report_fd, _READY)
        os.close(report_fd)
        if not os.read(go_fd, 1):
            raise EffectFailed("the supervisor could not write the run state")
        os.chdir("/")
        found = os.stat("/")
        if (found.st_dev, found.st_ino) != root:
            raise EffectFailed("the root of the container is not mounted", "report it")
        if copy:
            syscalls.unshare(copy)
        if spec.init:
            # As systemd makes it on a machine: services see what is mounted later.
            syscalls.mount("", "/", None, syscalls.MS_REC | syscalls.MS_SHARED)
        if spec.dev == "private":
            syscalls.mount(
                "mqueue", "/dev/mqueue", "mqueue", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
            )
        syscalls.sethostname(spec.hostname)
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
        for fd in {*streams} - {0, 1, 2}:
            os.close(fd)
        become_and_exec(
            spec.command,
            user=spec.user,
            groups=spec.groups,
            env=spec.env,
            working_dir=spec.working_dir,
            confinement=confinement,
            limits=limits,
        )
    except BaseException as error:
        os.write(error_fd, error_line(error))
    finally:
        sys.stderr = sys.stdout = None
        os._exit(127)


def _is_root_mounted(paths: ContainerPaths, spec: ContainerSpec, root_id: int, pid: int, error_fd: int) -> bool:
    """Mount the root of the first process `pid`, by a child; return whether that succeeded."""
    pidfd = os.pidfd_open(pid)
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    # Only children enter it: procfs shows the pid namespace of the process that mounts it.
    syscalls.setns(pidfd, syscalls.CLONE_NEWPID)
    child = syscalls.clone3()
    if child == 0:
        _mount_root(paths, spec, root_id, pidfd, error_fd)
    syscalls.setns(own, syscalls.CLONE_NEWPID)
    os.close(own)
    os.close(pidfd)
    return os.waitpid(child, 0)[1] == 0


def _mount_root(paths: ContainerPaths, spec: ContainerSpec, root_id: int, pidfd: int, error_fd: int) -> None:
    """Mount everything, and make it the root of the first process. Never returns."""
    try:
        netns = os.open(paths.netns, os.O_RDONLY | os.O_CLOEXEC)
        userns_fd = user_namespace.owner(netns)
        sysctls = os.open("/proc/sys", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        syscalls.setns(pidfd, _JOINED)
        write_ipc_sysctls(sysctls, spec.sysctls, root_id)
        # Files below are created with complete modes.
        os.umask(0)
        syscalls.set_file_owner(root_id)
        mount_all(paths.rootfs, spec, root_id, userns_fd)
        _pivot(paths.rootfs)
        if spec.read_only:
            syscalls.mount(
                "", "/", None, syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | syscalls.MS_NODEV
            )
        os._exit(0)
    except BaseException as error:
        os.write(error_fd, error_line(error))
    finally:
        sys.stderr = sys.stdout = None
        os._exit(127)


def _pivot(root: str) -> None:
    """Change the root as in pivot_root(2), section "pivot_root(".", ".")": the old root covers the new one, then is
    unmounted.
    """
    os.chdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.umount2(".", syscalls.MNT_DETACH)


def _log_streams(path: str, root_id: int) -> tuple[int, int, int]:
    """Standard streams without a terminal: output goes to the log, input is a pipe that the process holds open itself.

    A read of it blocks, as on an idle terminal, so that a shell keeps running without a process at the other end.
    """
    reader, writer = os.pipe()
    both = os.open(f"/proc/self/fd/{reader}", os.O_RDWR | os.O_CLOEXEC)
    os.close(reader)
    os.close(writer)
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    # Lets processes inside open /dev/stdout.
    os.fchown(log, root_id, root_id)
    return both, log, log
