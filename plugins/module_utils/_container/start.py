# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting a container: what it needs of the host, then its supervisor, then its first process."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import NamedTuple

from .._engine import bundle
from .._engine.container_records import write_run_state
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import EffectFailed
from .._image.store import image_layers
from .._kernel import network_namespace, syscalls
from .._kernel.cgroup import CgroupEntry
from .._kernel.files.within_root import try_write_files
from .._kernel.processes import ProcessId, has_executed
from .._network.hosts_files import inside_files
from .cgroup_paths import cgroup_of
from .console_log import log_size
from .devices import device_rules
from .exec.privileges import Confinement, report
from .id_ranges import read_ids
from .init_process import exec_first_process
from .limits import set_cgroup_limits
from .rootfs import mount_rootfs
from .seccomp.filters import SeccompFilter, filter_for
from .spec.container import ContainerSpec
from .supervisor.spawn import detach, exec_supervisor, spawn_supervisor
from .supervisor.supervise import oom_kills


class Prepared(NamedTuple):
    """What the host has made ready: the way into the container's cgroup, the host's id of root inside, the filter for
    system calls, the path of the supervisor's program, and what could not be done in the container.
    """

    entry: CgroupEntry
    root_id: int
    seccomp: SeccompFilter
    bundle: str
    warnings: tuple[str, ...] = ()


def start(settings: Settings, paths: ContainerPaths, spec: ContainerSpec) -> tuple[str, ...]:
    """Start the container's first process under a supervisor of its own; returns when it has been executed.

    Its warnings are what could not be done inside. Raises EffectFailed and others where it could not; what was prepared
    until then is for `clean_up`.
    """
    # Before the supervisor is born: while memory is shared with a child, each page that we write costs a copy.
    prepared = prepare(settings, paths, spec, filter_for(spec))
    status, status_writer = os.pipe()
    spawn_supervisor(lambda: _supervisor(paths, spec, prepared, status_writer))
    os.close(status_writer)
    prepared.entry.close()
    # One line, written at once; not up to the end, which comes later: when the supervisor has become the small one.
    said = os.read(status, 65536)
    os.close(status)
    if said != b"started":
        message = said.decode(errors="replace") or "the supervisor ended before it said why"
        raise EffectFailed(f"container {spec.name} did not start: {message}")
    return prepared.warnings


def prepare(settings: Settings, paths: ContainerPaths, spec: ContainerSpec, seccomp: SeccompFilter) -> Prepared:
    """Cgroup, network namespace, root file system, files inside: each made where it is missing."""
    ids = read_ids(paths)
    root_id = ids.base if ids else 0
    cgroup = cgroup_of(spec.name)
    cgroup.create()
    set_cgroup_limits(cgroup, spec)
    cgroup.allow_devices(device_rules(spec))
    if spec.cgroup_writable:
        cgroup.delegate(root_id)
    make_network_namespace(paths)
    userns_fd = network_namespace.owner(paths.netns)
    try:
        mount_rootfs(paths, image_layers(settings.image_dir, spec.image), userns_fd, root_id)
    finally:
        if userns_fd is not None:
            os.close(userns_fd)
    root_fd = os.open(paths.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files = inside_files(settings, spec.name, spec.hostname, root_fd)
        files["/etc/hostname"] = f"{spec.hostname}\n".encode()
        problems = try_write_files(root_fd, files)
    finally:
        os.close(root_fd)
    warnings = [f"container {spec.name}: {path} inside cannot be written: {why}" for path, why in problems.items()]
    return Prepared(cgroup.open(), root_id, seccomp, bundle.current(), tuple(warnings))


def make_network_namespace(paths: ContainerPaths) -> None:
    """Have the container's network namespace, and the user namespace that owns it.

    Both are one life: which user namespace a container has is asked of the network namespace, which has a name.
    """
    if has_network_namespace(paths):
        return
    ids = read_ids(paths)
    network_namespace.remove(paths.netns)
    network_namespace.create(paths.netns, ids.map_line if ids else None)


def has_network_namespace(paths: ContainerPaths) -> bool:
    """Whether there is one that fits its ids. Somebody else's does not: it would be out of reach for those inside, or
    within reach of too much.
    """
    if not network_namespace.exists(paths.netns):
        return False
    userns_fd = network_namespace.owner(paths.netns)
    if userns_fd is not None:
        os.close(userns_fd)
    return (userns_fd is None) == (read_ids(paths) is None)


def launch(paths: ContainerPaths, spec: ContainerSpec, prepared: Prepared, restarts: int, flaps: int = 0) -> None:
    """Start the first process as a child of the calling process, in its cgroup, and write the run state.

    `restarts`: how often its policy has started it; `flaps`: the same since it has run well. Raises EffectFailed.
    """
    reader, writer = os.pipe()
    wait_go, go = os.pipe()
    child = prepared.entry.fork(syscalls.CLONE_NEWPID)
    if child == 0:
        os.close(reader)
        os.close(go)
        confinement = Confinement.of(spec, prepared.seccomp)
        exec_first_process(paths, spec, prepared.entry, prepared.root_id, confinement, wait_go, writer)
    prepared.entry.close()
    os.close(writer)
    os.close(wait_go)
    # Written before the command is let go: were we killed here, nothing would run that the next run cannot find.
    _write_run_state(paths, child, prepared.seccomp, {"restarts": restarts, "steady": restarts - flaps})
    # EPIPE: it failed already, and says so below.
    with contextlib.suppress(BrokenPipeError):
        os.write(go, b"g")
    os.close(go)
    with open(reader, "rb") as pipe:
        error = pipe.read().decode(errors="replace")
    if error or not has_executed(child):
        _, status = os.waitpid(child, 0)
        raise EffectFailed(error or _why_unborn(spec, os.waitstatus_to_exitcode(status)))


def _why_unborn(spec: ContainerSpec, code: int) -> str:
    """Why the first process ended before it executed the command, and could not say so itself."""
    if code == -signal.SIGSYS:
        return f"the seccomp profile {spec.seccomp} kills a process that makes the system calls which a start needs"
    return f"its first process ended before it executed the command (exit status {code})"


def _write_run_state(paths: ContainerPaths, child: int, seccomp: SeccompFilter, counts: dict) -> None:
    oom_file = cgroup_of(paths.name).oom_file()
    process, supervisor = ProcessId.of(child), ProcessId.of(os.getpid())
    write_run_state(
        paths,
        {
            "pid": child,
            # 0 is the start time of nobody: it has ended already.
            "start_time": process.start_time if process else 0,
            "supervisor": {"pid": os.getpid(), "start_time": supervisor.start_time if supervisor else 0},
            "started_at": time.time(),
            # As long as the host is up, whatever becomes of its clock.
            "began": time.monotonic(),
            "oom_file": oom_file,
            "oom_kills": oom_kills(oom_file),
            **counts,
            # For those who enter it later, and for a restart.
            "seccomp": seccomp.path,
            # Where in the log this life begins.
            "log_begin": log_size(paths.log),
            "container_dir": os.path.dirname(paths.directory),
        },
    )


def _supervisor(paths: ContainerPaths, spec: ContainerSpec, prepared: Prepared, status: int) -> None:
    """Body of the supervisor's process up to the point where it becomes the small one."""
    try:
        launch(paths, spec, prepared, 0)
        detach({status})
        # EPIPE: who asked for it was killed meanwhile.
        with contextlib.suppress(BrokenPipeError):
            os.write(status, b"started")
        # All are close-on-exec.
        exec_supervisor(paths, prepared.bundle)
    except BaseException as error:
        os.write(status, report(error))
