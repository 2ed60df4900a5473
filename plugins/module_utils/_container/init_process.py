# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The birth of pid 1: from a child of the supervisor to the container's command, in its own namespaces and root."""

from __future__ import annotations

import os
import sys

from .._engine.paths import ContainerPaths
from .._errors import EffectFailed
from .._kernel import syscalls, user_namespace
from .._kernel.cgroup import CgroupEntry
from .._kernel.rlimits import set_oom_score
from .exec.privileges import Confinement, become_and_exec, close_others, report
from .limits import raise_limits
from .mounts import mount_all
from .spec.container import ContainerSpec


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
    """Become the container's first process. Runs in a fresh child that is pid 1 of a new pid namespace already.

    `entry` is its cgroup's, `root_id` the host's id of root inside. `streams`: its standard input, output and error;
    None for an input on which a read waits, and the container's log.

    Waits for a byte from `go_fd`, when it is written down, before it executes the command; it ends where that is closed
    instead. Writes one line to `error_fd` where it fails; a successful exec closes it (all are close-on-exec). Never
    returns.
    """
    try:
        entry.join()
        # Among them locks of the module's, which must not live as long as this does.
        close_others({go_fd, error_fd, *(streams or ())})
        set_oom_score(confinement.oom_score_adj)
        # As root of the host, which it is not any more when they are set.
        limits = raise_limits(confinement.ulimits)
        os.setsid()
        # Keys of who runs the module are none of the container's.
        syscalls.new_session_keyring()
        netns = os.open(paths.netns, os.O_RDONLY | os.O_CLOEXEC)
        userns_fd = user_namespace.owner(netns)
        streams = streams or _log_streams(paths.log, root_id)
        syscalls.setns(netns, syscalls.CLONE_NEWNET)
        syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWCGROUP)
        syscalls.mount("", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        # Modes of what is made there are given in full.
        os.umask(0)
        syscalls.set_file_owner(root_id)
        if userns_fd is None:
            # Before the mounts: below /proc/sys each IPC namespace finds files of its own, and mounts on those only.
            syscalls.unshare(syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC)
        mount_all(paths.rootfs, spec, root_id, userns_fd)
        _pivot(paths.rootfs)
        if spec.read_only:
            syscalls.mount(
                "", "/", None, syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | syscalls.MS_NODEV
            )
        if userns_fd is not None:
            _own_namespaces(userns_fd)
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
            raise EffectFailed("its supervisor could not write down that it runs")
        become_and_exec(
            spec.command,
            user=spec.user,
            env=spec.env,
            working_dir=spec.working_dir,
            confinement=confinement,
            limits=limits,
        )
    except BaseException as error:
        os.write(error_fd, report(error))
    finally:
        sys.stderr = sys.stdout = None
        os._exit(127)


def _own_namespaces(userns_fd: int) -> None:
    """Those that the container's user namespace owns, so that its root may do there what its capabilities say.

    All mounts were made before, with the host's rights and sight; now the mount namespace is copied, and in a copy for
    another user namespace nobody can take a mount away, or a restriction from it (mount_namespaces(7)): what is masked
    stays masked.
    """
    user_namespace.enter(userns_fd)
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWCGROUP)


def _pivot(root: str) -> None:
    """pivot_root(2), section "pivot_root(".", ".")": the old root is stacked on the new one, then taken away."""
    os.chdir(root)
    syscalls.pivot_root(".", ".")
    syscalls.umount2(".", syscalls.MNT_DETACH)
    os.chdir("/")


def _log_streams(path: str, root_id: int) -> tuple[int, int, int]:
    """Input from a pipe that the process itself holds open for writing: a read waits, as at a terminal nobody types at,
    and a shell stays alive with no process of ours to hold the other end. Output goes to the log.
    """
    reader, writer = os.pipe()
    both = os.open(f"/proc/self/fd/{reader}", os.O_RDWR | os.O_CLOEXEC)
    os.close(reader)
    os.close(writer)
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    # So that those who write to /dev/stdout can open it.
    os.fchown(log, root_id, root_id)
    return both, log, log
