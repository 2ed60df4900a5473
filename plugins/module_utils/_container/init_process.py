# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Setup of a container's first process: from a child of the supervisor to its command, in its namespaces and root."""

from __future__ import annotations

import os
import sys

from .._engine.paths import ContainerPaths
from .._errors import EffectFailed
from .._kernel import syscalls, user_namespace
from .._kernel.cgroup import CgroupEntry
from .._kernel.descriptors import close_other_descriptors
from .._kernel.rlimits import set_oom_score
from .exec.privileges import Confinement, become_and_exec, error_line
from .limits import raise_limits
from .mounts import mount_all
from .spec.container import ContainerSpec
from .sysctls import SysctlWriter


def exec_first_process(
    paths: ContainerPaths,
    spec: ContainerSpec,
    entry: CgroupEntry,
    root_id: int,
    confinement: Confinement,
    go_fd: int,
    error_fd: int,
    streams: tuple[int, int, int] | None = None,
) -> None:
    """Become the container's first process. Never returns. Runs in a new child that is pid 1 of a new PID namespace.

    `entry` is the container's cgroup, `root_id` the host's id of root inside. `streams` are its standard input, output
    and error; None for an input on which a read blocks, and the container's log.

    Executes the command after a byte from `go_fd`, which says that the run state is written; exits if `go_fd` is closed
    instead. On failure, writes one line to `error_fd`; a successful exec closes it (all are close-on-exec).
    """
    try:
        entry.join()
        # Among them are locks of the module, which must not be held for the container's lifetime.
        close_other_descriptors({go_fd, error_fd, *(streams or ())})
        set_oom_score(confinement.oom_score_adj)
        # Requires root on the host, which this process no longer is when the limits are set.
        limits = raise_limits(confinement.ulimits)
        os.setsid()
        # The container must not get keys of the user that runs the module.
        syscalls.new_session_keyring()
        netns = os.open(paths.netns, os.O_RDONLY | os.O_CLOEXEC)
        userns_fd = user_namespace.owner(netns)
        streams = streams or _log_streams(paths.log, root_id)
        syscalls.setns(netns, syscalls.CLONE_NEWNET)
        sysctls = SysctlWriter(spec.sysctls, root_id)
        sysctls.enter_network()
        syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWCGROUP)
        syscalls.mount("", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        # Files below are created with complete modes.
        os.umask(0)
        syscalls.set_file_owner(root_id)
        if userns_fd is None:
            # Before the mounts: files in /proc/sys belong to an IPC namespace, and a mount covers only its own.
            syscalls.unshare(syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC)
        mount_all(paths.rootfs, spec, root_id, userns_fd)
        _pivot(paths.rootfs)
        if spec.read_only:
            syscalls.mount(
                "", "/", None, syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | syscalls.MS_NODEV
            )
        if userns_fd is not None:
            _enter_user_namespace(userns_fd)
        sysctls.enter_ipc()
        if spec.dev == "private":
            syscalls.mount(
                "mqueue", "/dev/mqueue", "mqueue", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
            )
        syscalls.sethostname(spec.hostname)
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
        for fd in {*streams} - {0, 1, 2}:
            os.close(fd)
        if not os.read(go_fd, 1):
            raise EffectFailed("the supervisor could not write the run state")
        become_and_exec(
            spec.command,
            user=spec.user,
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


def _enter_user_namespace(userns_fd: int) -> None:
    """Enter the user namespace and create namespaces that it owns, in which root inside has its capabilities.

    All mounts exist already, made with the rights of the host. The new mount namespace is a copy that belongs to
    another user namespace, in which mounts and their restrictions are locked (mount_namespaces(7)): masked paths stay
    masked.
    """
    user_namespace.enter(userns_fd)
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWCGROUP)


def _pivot(root: str) -> None:
    """Change the root as in pivot_root(2), section "pivot_root(".", ".")": the old root covers the new one, then is
    unmounted.
    """
    os.chdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.umount2(".", syscalls.MNT_DETACH)
    os.chdir("/")


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
