# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's first process: its namespaces, its root, and its command.

Root of the host mounts the root, and then enters the container's user namespace. The pid namespace is one of the host's
then, in which nobody inside may call reboot(2). If somebody shall, three processes make it: the first joins the cgroup
and sets the limits, enters the user namespace, and clones the first process, whose pid namespace thus belongs to that
one (reboot_pid_ns() of the kernel). A third one, root of the host in all other namespaces of the container, mounts the
root. That costs two more forks of a Python process, a third of the time of a start.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from .._engine.id_range import END, IdRange
from .._engine.paths import ContainerPaths
from .._errors import EffectFailed
from .._kernel import syscalls, user_namespace
from .._kernel.cgroup import CgroupEntry
from .._kernel.descriptors import close_other_descriptors
from .._kernel.rlimits import Limits, set_oom_score
from .error_line import error_line
from .exec.privileges import Confinement, become_and_exec
from .limits import raise_limits
from .mounts import mount_all
from .propagation import close_propagating, open_propagating
from .spec.container import ContainerSpec
from .spec.mounts import Mount
from .sysctls import ipc_sysctls, write_ipc_sysctls, write_network_sysctls

# Namespaces that the process that mounts the root joins. It is created in the pid namespace.
_JOINED = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWCGROUP
)
_READY = b"r"


@dataclass(frozen=True)
class Start:
    """A first process to be created. `entry`: the container's cgroup; `ids`: its range of ids, None for the host's.

    `streams` are its standard input, output and error; None for an input on which a read blocks, and the container's
    log. It executes the command after a byte from `go_fd`, which says that the run state is written, and exits if
    `go_fd` is closed instead. On failure, each process writes one line to `error_fd`; a successful exec closes it
    (all are close-on-exec).
    """

    paths: ContainerPaths
    spec: ContainerSpec
    entry: CgroupEntry
    ids: IdRange | None
    confinement: Confinement
    go_fd: int
    error_fd: int
    streams: tuple[int, int, int] | None = None

    @property
    def root_id(self) -> int:
        """The host's id of root inside."""
        return self.ids.base if self.ids else 0

    @property
    def last_id(self) -> int:
        """The last id inside."""
        return (self.ids.size if self.ids else END) - 1


@dataclass
class _Prepared:
    """Limits, descriptors and streams of the process that becomes the command, made as root of the host."""

    limits: Limits
    userns_fd: int | None
    sysctls: int
    streams: tuple[int, int, int]
    propagating: dict[str, int]


def fork_first_process(start: Start) -> int | None:
    """Create the container's first process as a child of the caller; return its pid, None after a failure here."""
    spec = start.spec
    if spec.userns == "host" or not ("SYS_BOOT" in spec.bounding or ipc_sysctls(spec.sysctls)):
        child = start.entry.fork(syscalls.CLONE_NEWPID)
        if child == 0:
            _exit_on_error(start, lambda: _run_with_root_of_its_own(start))
        return child
    reader, writer = os.pipe()
    creator = start.entry.fork()
    if creator == 0:
        _exit_on_error(start, lambda: _clone_in_user_namespace(start, writer))
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(creator, 0)
    # Both of them write, in any order.
    number = answer.replace(_READY, b"")
    if not number:
        return None
    pid = int(number)
    if _READY in answer and _is_root_mounted(start, pid):
        return pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _exit_on_error(start: Start, body: Callable[[], None]) -> NoReturn:
    """Call `body`, which ends this process, or fails."""
    try:
        body()
    except BaseException as error:
        os.write(start.error_fd, error_line(error))
    finally:
        sys.stderr = sys.stdout = None
        os._exit(127)


def _run_with_root_of_its_own(start: Start) -> None:
    """Mount the root, enter the user namespace, if any, and become the command, as pid 1."""
    prepared = _prepare(start, set(), start.spec.mounts)
    syscalls.unshare(syscalls.CLONE_NEWCGROUP)
    if prepared.userns_fd is None:
        # Before the mounts: files in /proc/sys belong to an IPC namespace, and a mount covers only its own.
        syscalls.unshare(syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC)
        write_ipc_sysctls(prepared.sysctls, start.spec.sysctls, start.root_id)
    _mount_root(start, prepared.userns_fd, prepared.propagating)
    if prepared.userns_fd is not None:
        user_namespace.enter(prepared.userns_fd)
        # The mount namespace of a user namespace is a copy, in which mounts and their restrictions are locked
        # (mount_namespaces(7)): masked paths stay masked.
        syscalls.unshare(
            syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWCGROUP
        )
    write_network_sysctls(prepared.sysctls, start.spec.sysctls, start.last_id)
    _await_go(start)
    _become_command(start, prepared)


def _clone_in_user_namespace(start: Start, report_fd: int) -> None:
    """Clone the first process in the user namespace, write its pid to `report_fd`, and exit."""
    prepared = _prepare(start, {report_fd})
    root = os.stat(start.paths.rootfs)
    if prepared.userns_fd is None:
        raise EffectFailed("the network namespace of the container has no user namespace", "stop it and start it again")
    user_namespace.enter(prepared.userns_fd)
    write_network_sysctls(prepared.sysctls, start.spec.sysctls, start.last_id)
    child = syscalls.clone3(syscalls.CLONE_NEWPID | syscalls.CLONE_PARENT)
    if child == 0:
        _exit_on_error(start, lambda: _run_when_root_is_mounted(start, prepared, report_fd, root))
    os.write(report_fd, str(child).encode())
    os._exit(0)


def _run_when_root_is_mounted(start: Start, prepared: _Prepared, report_fd: int, root: os.stat_result) -> None:
    """Become the command, as pid 1, when another process has mounted `root`."""
    syscalls.unshare(syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWCGROUP)
    os.write(report_fd, _READY)
    os.close(report_fd)
    _await_go(start)
    os.chdir("/")
    if not os.path.samestat(os.stat("/"), root):
        raise EffectFailed("the root of the container is not mounted", "report it")
    # A copy, as above.
    syscalls.unshare(syscalls.CLONE_NEWNS)
    _become_command(start, prepared)


def _prepare(start: Start, keep: set[int], mounts: Iterable[Mount] = ()) -> _Prepared:
    """Do what requires root of the host, and enter the network namespace and a new mount namespace.

    `mounts`: those that this process will mount.
    """
    start.entry.join()
    # Among them are locks of the module, which must not be held for the container's lifetime.
    close_other_descriptors({start.go_fd, start.error_fd, *keep, *(start.streams or ())})
    set_oom_score(start.confinement.oom_score_adj)
    # Requires root on the host, which this process no longer is when the limits are set.
    limits = raise_limits(start.confinement.ulimits)
    # The container must not get keys of the user that runs the module.
    syscalls.new_session_keyring()
    sysctls = os.open("/proc/sys", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    netns = os.open(start.paths.netns, os.O_RDONLY | os.O_CLOEXEC)
    userns_fd = user_namespace.owner(netns)
    streams = start.streams or _log_streams(start.paths.log, start.root_id)
    # pivot_root(2) changes the root and working directory of the processes that have the old root there.
    os.chdir("/")
    syscalls.setns(netns, syscalls.CLONE_NEWNET)
    propagating = open_propagating(mounts)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    os.close(netns)
    return _Prepared(limits, userns_fd, sysctls, streams, propagating)


def _await_go(start: Start) -> None:
    if not os.read(start.go_fd, 1):
        raise EffectFailed("the supervisor could not write the run state")


def _become_command(start: Start, prepared: _Prepared) -> None:
    """Execute the command in all namespaces and the root of the container."""
    os.close(prepared.sysctls)
    if prepared.userns_fd is not None:
        os.close(prepared.userns_fd)
    os.setsid()
    spec = start.spec
    if spec.init:
        # As systemd makes it on a machine: services see what is mounted later.
        syscalls.mount("", "/", None, syscalls.MS_REC | syscalls.MS_SHARED)
    if spec.dev == "private":
        syscalls.mount("mqueue", "/dev/mqueue", "mqueue", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)
    syscalls.sethostname(spec.hostname)
    for number, fd in enumerate(prepared.streams):
        os.dup2(fd, number)
    for fd in {*prepared.streams} - {0, 1, 2}:
        os.close(fd)
    become_and_exec(
        spec.command,
        user=spec.user,
        groups=spec.groups,
        env=spec.env,
        working_dir=spec.working_dir,
        confinement=start.confinement,
        limits=prepared.limits,
    )


def _is_root_mounted(start: Start, pid: int) -> bool:
    """Mount the root of the first process `pid`, by a child; return whether that succeeded."""
    pidfd = os.pidfd_open(pid)
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    # Only children enter it: procfs shows the pid namespace of the process that mounts it.
    syscalls.setns(pidfd, syscalls.CLONE_NEWPID)
    child = syscalls.clone3()
    if child == 0:
        _exit_on_error(start, lambda: _mount_root_of(start, pidfd))
    syscalls.setns(own, syscalls.CLONE_NEWPID)
    os.close(own)
    os.close(pidfd)
    return os.waitpid(child, 0)[1] == 0


def _mount_root_of(start: Start, pidfd: int) -> None:
    """Mount everything as root of the host, make it the root of the first process `pidfd`, and exit."""
    netns = os.open(start.paths.netns, os.O_RDONLY | os.O_CLOEXEC)
    userns_fd = user_namespace.owner(netns)
    sysctls = os.open("/proc/sys", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    propagating = open_propagating(start.spec.mounts)
    syscalls.setns(pidfd, _JOINED)
    write_ipc_sysctls(sysctls, start.spec.sysctls, start.root_id)
    _mount_root(start, userns_fd, propagating)
    os._exit(0)


def _mount_root(start: Start, userns_fd: int | None, propagating: Mapping[str, int]) -> None:
    """Mount everything, and change the root of this process and others in its mount namespace."""
    spec = start.spec
    # Files below are created with complete modes.
    os.umask(0)
    syscalls.set_file_owner(start.root_id)
    mount_all(start.paths.rootfs, spec, start.root_id, userns_fd, propagating)
    close_propagating(propagating)
    _pivot(start.paths.rootfs)
    if spec.read_only:
        syscalls.mount("", "/", None, syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | syscalls.MS_NODEV)


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
