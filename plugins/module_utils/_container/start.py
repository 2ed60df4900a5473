# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start of a container: preparation of the host, then its supervisor, then its first process."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import NamedTuple

from .._engine import bundle
from .._engine.container_records import write_run_state
from .._engine.id_range import IdRange
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import EffectFailed
from .._image.store import image_layers
from .._kernel import network_namespace
from .._kernel.cgroup import CgroupEntry
from .._kernel.files.atomic_write import read_text, write_atomic
from .._kernel.files.within_root import read_inside, try_write_files
from .._kernel.processes import ProcessId, has_executed
from .._network.hosts_files import inside_files
from .cgroup_paths import container_cgroup
from .console_log import log_size
from .devices import device_rules
from .exec.privileges import Confinement
from .id_ranges import read_ids
from .init_process import Start, fork_first_process
from .limits import set_cgroup_limits
from .rootfs import mount_rootfs
from .seccomp.filters import SeccompFilter, filter_at, filter_for
from .spec.container import ContainerSpec
from .spec.values import default_hostname
from .supervisor import requests
from .supervisor.records import oom_kills
from .supervisor.spawn import spawn_supervisor
from .systemd_files import begin_first_boot
from .timezone import write_timezone

# A name has at most 64; more than that is not ours.
_HOSTNAME_BYTES = 256


class Prepared(NamedTuple):
    """A prepared start: the container's open cgroup, its range of ids, the seccomp filter, and warnings about files
    inside that could not be written.
    """

    entry: CgroupEntry
    ids: IdRange | None
    seccomp: SeccompFilter
    warnings: tuple[str, ...] = ()


def start(settings: Settings, paths: ContainerPaths, spec: ContainerSpec) -> tuple[str, ...]:
    """Start the container's first process under the supervisor, and return warnings once it has been executed.

    Raises EffectFailed and others if the start fails; `clean_up` then removes what was prepared.
    """
    prepared, timeout = prepare(settings, paths, spec, filter_for(spec)), settings.lock_timeout
    try:
        while True:
            with contextlib.suppress(requests.NoSupervisor):
                requests.start_process(paths, prepared.seccomp.path, bundle.current(), timeout)
                break
            if spawn_supervisor(spec.name, lambda: launch(paths, spec, prepared, 0), timeout):
                break
    finally:
        prepared.entry.close()
    return prepared.warnings


def supervise(settings: Settings, paths: ContainerPaths) -> None:
    """Have a running container supervised, whose supervisor was killed. Raises EffectFailed.

    The new supervisor is not the parent of the first process: before Linux 6.15 it cannot get its exit status.
    """
    while True:
        with contextlib.suppress(requests.NoSupervisor):
            requests.adopt(paths, settings.lock_timeout)
            break
        spawn_supervisor(paths.name, lambda: None, settings.lock_timeout)


def prepare(settings: Settings, paths: ContainerPaths, spec: ContainerSpec, seccomp: SeccompFilter) -> Prepared:
    """Create the cgroup, the network namespace, the root mount and files inside, each if it is missing."""
    ids = read_ids(paths)
    root_id = ids.base if ids else 0
    cgroup = container_cgroup(spec.name)
    cgroup.create()
    # Of the life before.
    cgroup.clear()
    set_cgroup_limits(cgroup, spec)
    cgroup.allow_devices(device_rules(spec))
    if spec.cgroup_writable:
        cgroup.delegate(root_id)
    create_network_namespace(paths)
    userns_fd = network_namespace.owner(paths.netns)
    try:
        mount_rootfs(paths, image_layers(settings.image_dir, spec.image), userns_fd, root_id)
    finally:
        if userns_fd is not None:
            os.close(userns_fd)
    root_fd = os.open(paths.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files = inside_files(settings, spec.name, spec.hostname, root_fd)
        names_itself = _names_itself(paths, spec, root_fd)
        if not names_itself:
            files["/etc/hostname"] = f"{spec.hostname}\n".encode()
        problems = try_write_files(root_fd, files)
        if spec.is_machine and not names_itself and read_text(paths.hostname) != f"{spec.hostname}\n":
            write_atomic(paths.hostname, files["/etc/hostname"])
        with _noted(problems, "/etc/localtime"):
            write_timezone(root_fd, spec.timezone)
        if spec.is_machine and "SYS_ADMIN" in spec.bounding:
            with _noted(problems, "/etc/machine-id"):
                begin_first_boot(root_fd)
    finally:
        os.close(root_fd)
    warnings = [
        f"container {spec.name}: {path} inside cannot be written: {reason}" for path, reason in problems.items()
    ]
    return Prepared(cgroup.open(), ids, seccomp, tuple(warnings))


@contextlib.contextmanager
def _noted(problems: dict[str, str], path: str) -> Iterator[None]:
    """Add an OSError to `problems`: a file inside that cannot be written keeps no container from starting."""
    try:
        yield
    except OSError as error:
        problems[path] = error.strerror or str(error)


def _names_itself(paths: ContainerPaths, spec: ContainerSpec, root_fd: int) -> bool:
    """Return whether the machine has a host name that was set inside, which stays unless the option sets one."""
    if not spec.is_machine or spec.hostname != default_hostname(spec.name):
        return False
    written, found = read_text(paths.hostname).encode(), read_inside(root_fd, "/etc/hostname", _HOSTNAME_BYTES)
    # An image that was made of a machine has the name of that one.
    return bool(written) and found is not None and found != written


def open_prepared(paths: ContainerPaths, spec: ContainerSpec, seccomp: str) -> Prepared:
    """Return a start that another process has prepared, with the seccomp filter in the file `seccomp`."""
    return Prepared(container_cgroup(spec.name).open(), read_ids(paths), filter_at(seccomp, spec))


def create_network_namespace(paths: ContainerPaths) -> None:
    """Create the container's network namespace, and the user namespace that owns it, if they are missing.

    The two always exist together: the user namespace is found through the network namespace, which has a path.
    """
    if has_network_namespace(paths):
        return
    ids = read_ids(paths)
    network_namespace.remove(paths.netns)
    network_namespace.create(paths.netns, ids.map_line if ids else None)


def has_network_namespace(paths: ContainerPaths) -> bool:
    """Whether the network namespace exists and has an own user namespace exactly if the container has own ids.

    With any other owner, root inside would have no rights in it, or too many.
    """
    if not network_namespace.exists(paths.netns):
        return False
    userns_fd = network_namespace.owner(paths.netns)
    if userns_fd is not None:
        os.close(userns_fd)
    return (userns_fd is None) == (read_ids(paths) is None)


def launch(paths: ContainerPaths, spec: ContainerSpec, prepared: Prepared, restarts: int, flaps: int = 0) -> None:
    """Start the first process as a child of the calling process, in its cgroup, and write the run state.

    `restarts`: starts by the restart policy; `flaps`: those since the last good run. Raises EffectFailed.
    """
    reader, writer = os.pipe()
    wait_go, go = os.pipe()
    confinement = Confinement.of(spec, prepared.seccomp)
    first = Start(paths, spec, prepared.entry, prepared.ids, confinement, wait_go, writer)
    child = fork_first_process(first)
    prepared.entry.close()
    os.close(writer)
    os.close(wait_go)
    if child is None:
        os.close(go)
        with open(reader, "rb") as pipe:
            raise EffectFailed(pipe.read().decode(errors="replace") or "the first process ended while it was set up")
    # Written before the command may run: if this process is killed here, the next module run finds every process.
    _write_run_state(paths, child, prepared.seccomp, {"restarts": restarts, "steady": restarts - flaps})
    # EPIPE: it has failed already; its error is read below.
    with contextlib.suppress(BrokenPipeError):
        os.write(go, b"g")
    os.close(go)
    with open(reader, "rb") as pipe:
        error = pipe.read().decode(errors="replace")
    if error or not has_executed(child):
        _, status = os.waitpid(child, 0)
        raise EffectFailed(error or _silent_failure(spec, os.waitstatus_to_exitcode(status)))


def _silent_failure(spec: ContainerSpec, code: int) -> str:
    """Error message for a first process that ended before it executed the command, without a message of its own."""
    if code == -signal.SIGSYS:
        return f"seccomp: the profile {spec.seccomp} kills processes for system calls that a start requires"
    return f"the first process ended before it executed the command (exit status {code})"


def _write_run_state(paths: ContainerPaths, child: int, seccomp: SeccompFilter, counts: dict) -> None:
    oom_file = container_cgroup(paths.name).oom_file()
    process = ProcessId.of(child)
    write_run_state(
        paths,
        {
            "pid": child,
            # No process has start time 0: the child has ended already.
            "start_time": process.start_time if process else 0,
            "started_at": time.time(),
            # Seconds since boot, which a change of the clock does not affect.
            "began": time.monotonic(),
            "oom_file": oom_file,
            "oom_kills": oom_kills(oom_file),
            **counts,
            # For processes that enter the container later, and for a restart.
            "seccomp": seccomp.path,
            # Size of the log at the begin of this run.
            "log_begin": log_size(paths.log),
            "container_dir": os.path.dirname(paths.directory),
        },
    )
