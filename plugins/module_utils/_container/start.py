# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting a container: what it needs of the host, then its supervisor, then its first process."""

from __future__ import annotations

import contextlib
import os
import sys
import time

from .._errors import EffectFailed
from .._linux import libc, netns
from .._linux.cgroups import Cgroup
from .._linux.inside_root import write_files
from .._linux.processes import ProcessId
from .._model.container import ContainerSpec
from .._model.layout import ContainerPaths, ImagePaths
from .._network.attachment import attach, inside_files
from .._store.containers import write_run_state
from .._store.settings import Settings
from .first_process import exec_first_process
from .process import report
from .rootfs import mount_rootfs
from .runtime import install_runtime

CGROUP_PARENT = "conductor"


def cgroup_of(name: str) -> Cgroup:
    """The cgroup of container `name`."""
    return Cgroup(f"{CGROUP_PARENT}/{name}")


def start(settings: Settings, paths: ContainerPaths, spec: ContainerSpec) -> None:
    """Start the container's first process under a supervisor of its own; returns when it has been executed.

    Raises EffectFailed and others where it could not; what was prepared until then is for `clean_up`.
    """
    runtime = install_runtime()
    prepare(settings, paths, spec)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Twice, so that the supervisor is nobody's child that had to be waited for.
        if os.fork():
            os._exit(0)
        os.setsid()
        _supervisor(paths, spec, runtime, writer, restarts=0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, "rb") as pipe:
        said = pipe.read()
    if said != b"started":
        message = said.decode(errors="replace") or "the supervisor ended before it said why"
        raise EffectFailed(f"container {spec.name} did not start: {message}")


def prepare(settings: Settings, paths: ContainerPaths, spec: ContainerSpec) -> None:
    """Cgroup, root file system, network namespace with its links, files inside: each made where it is missing."""
    cgroup = cgroup_of(spec.name)
    cgroup.create()
    cgroup.set_limits(spec.memory, spec.cpus, spec.pids)
    mount_rootfs(paths, ImagePaths.of(settings.image_dir, spec.image))
    if not netns.exists(paths.netns):
        netns.remove(paths.netns)
        netns.create(paths.netns)
    attach(settings, spec.name)
    root_fd = os.open(paths.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files = {"/etc/hostname": f"{spec.hostname}\n".encode(), **inside_files(settings, spec.name, spec.hostname)}
        write_files(root_fd, files)
    finally:
        os.close(root_fd)


def launch(paths: ContainerPaths, spec: ContainerSpec, restarts: int) -> None:
    """Start the first process as a child of the calling process and write the run state. Raises EffectFailed."""
    reader, writer = os.pipe()
    wait_go, go = os.pipe()
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    cgroup = cgroup_of(spec.name)
    libc.unshare(libc.CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.close(go)
        exec_first_process(paths, spec, cgroup, wait_go, writer)
    # Our own later children are not to be born into the container's namespace, nor fail once that is dead.
    libc.setns(own, libc.CLONE_NEWPID)
    for fd in (own, writer, wait_go):
        os.close(fd)
    # Written before the command is let go: were we killed here, nothing would run that the next run cannot find.
    _write_run_state(paths, child, restarts)
    # EPIPE: it failed already, and says so below.
    with contextlib.suppress(BrokenPipeError):
        os.write(go, b"g")
    os.close(go)
    with open(reader, "rb") as pipe:
        error = pipe.read()
    if error:
        os.waitpid(child, 0)
        os.unlink(paths.run_state)
        raise EffectFailed(error.decode(errors="replace"))


def _write_run_state(paths: ContainerPaths, child: int, restarts: int) -> None:
    process, supervisor = ProcessId.of(child), ProcessId.of(os.getpid())
    write_run_state(
        paths,
        {
            "pid": child,
            # 0 is the start time of nobody: it has ended already.
            "start_time": process.start_time if process else 0,
            "supervisor": {"pid": os.getpid(), "start_time": supervisor.start_time if supervisor else 0},
            "started_at": time.time(),
            "restarts": restarts,
            "container_dir": os.path.dirname(paths.directory),
        },
    )


def _supervisor(paths: ContainerPaths, spec: ContainerSpec, runtime: str, status_fd: int, restarts: int) -> None:
    """Body of the supervisor's process up to the point where it becomes the small one. Never returns."""
    try:
        close_others({status_fd})
        launch(paths, spec, restarts)
        os.write(status_fd, b"started")
        os.close(status_fd)
        exec_supervisor(paths, runtime)
    except BaseException as error:
        os.write(status_fd, report(error))
    finally:
        os._exit(1)


def exec_supervisor(paths: ContainerPaths, runtime: str) -> None:
    """Become the small supervisor: the same process, hence still the parent of the first process."""
    arguments = ["supervise", os.path.dirname(paths.directory), paths.name]
    os.execv(sys.executable, [sys.executable, "-I", "-S", runtime, *arguments])


def close_others(keep: set[int]) -> None:
    """Close every descriptor above 2 but `keep`, a lock's above all; 0, 1 and 2 become /dev/null."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) > 2 and int(entry) not in keep:
            try:
                os.close(int(entry))
            except OSError:
                # The descriptor that listed the directory is gone already.
                continue


def adopt(paths: ContainerPaths, state: dict) -> None:
    """Give a running container, whose supervisor was killed, a new one. It cannot learn the exit status any more."""
    runtime = install_runtime()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if os.fork():
            os._exit(0)
        try:
            os.setsid()
            close_others({writer})
            own = ProcessId.of(os.getpid())
            write_run_state(paths, {**state, "supervisor": {"pid": own.pid, "start_time": own.start_time}})
            os.write(writer, b"adopted")
            os.close(writer)
            exec_supervisor(paths, runtime)
        finally:
            os._exit(1)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, "rb") as pipe:
        if pipe.read() != b"adopted":
            raise EffectFailed(f"container {paths.name} could not be given a supervisor")
