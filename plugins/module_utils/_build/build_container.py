# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container in which the commands of an image run: created for one build and removed afterward.

Its first process is the command itself, started by the same code as in any container. Its root is the image under
construction, in a mount with the container's id map: the files on disk have the ids that they have inside.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

from .._container import stop
from .._container.cgroup_paths import container_cgroup
from .._container.devices import device_rules
from .._container.exec.privileges import Confinement
from .._container.init_process import Start, fork_first_process
from .._container.rootfs import idmapped_layers
from .._container.seccomp.filters import filter_for
from .._container.spec.container import ContainerSpec
from .._container.spec.mounts import Mount
from .._container.store import clear_staging, has_staging, remove_directory
from .._engine.id_range import IdRange
from .._engine.paths import BUILD_PREFIX, ContainerPaths, ImagePaths
from .._engine.settings import Settings
from .._errors import HostNotCapable
from .._image.spec.recipe import Command
from .._kernel import network_namespace, syscalls
from .._kernel.cgroup import Cgroup
from .._kernel.cgroup_limits import CgroupLimits, set_limits
from .._kernel.files.atomic_write import remove_tree
from .._kernel.idmapped_mount import mount_idmapped
from .._kernel.overlayfs import mount_overlay
from .._network.stages import detach_network
from .isolated_program import run_logged

# podman's default limit of processes per container.
_PIDS = 2048
# As in a shell, a command killed by a signal has the exit status 128 plus the signal number.
_SIGNALED = 128
_NOT_STARTED = 127


@dataclass(frozen=True)
class BuildContainer:
    """A container whose cgroup and network namespace exist, for the image at `image` above the layers `base`."""

    paths: ContainerPaths
    spec: ContainerSpec
    ids: IdRange
    image: ImagePaths
    base: Sequence[str]


def build_paths(settings: Settings, image: str) -> ContainerPaths:
    """Return the paths of the build container for image `image`."""
    return ContainerPaths.of(settings.container_dir, BUILD_PREFIX + image)


def build_spec(image: str) -> ContainerSpec:
    """Return the specification of the build container for image `image`, without a command."""
    return ContainerSpec(
        name=BUILD_PREFIX + image,
        image=image,
        # A number, because an image need not have /etc/passwd.
        user="0",
        hostname="localhost",
        mounts=(Mount(type="tmpfs", target="/tmp"),),
        pids=_PIDS,
    )


def has_leftovers(paths: ContainerPaths) -> bool:
    """Return whether a killed build left parts of its container."""
    return os.path.lexists(paths.directory) or has_staging(paths) or bool(stop.find_leftovers(paths))


def remove_build(settings: Settings, paths: ContainerPaths) -> None:
    """Remove the container and its resources on the host. The caller holds the image's lock."""
    stop.kill_all(container_cgroup(paths.name))
    detach_network(settings, paths.name)
    stop.clean_up(paths)
    remove_directory(paths)
    clear_staging(paths)


def prepare_build(paths: ContainerPaths, spec: ContainerSpec, ids: IdRange) -> None:
    """Create the cgroup and the network namespace. Raises HostNotCapable, EffectFailed."""
    cgroup = container_cgroup(spec.name)
    cgroup.create()
    _limit(cgroup, spec)
    cgroup.allow_devices(device_rules(spec))
    network_namespace.create(paths.netns, ids.map_line)


def _limit(cgroup: Cgroup, spec: ContainerSpec) -> None:
    try:
        set_limits(cgroup, CgroupLimits(pids=spec.pids))
    except HostNotCapable:
        # The user did not ask for this limit, so the build goes on without it.
        set_limits(cgroup, CgroupLimits())


def run_command(build: BuildContainer, command: Command, log: str, environment: dict[str, str]) -> None:
    """Run `command` as the container's first process and append its output to the file `log`. Raises EffectFailed.

    The command ends with this process: its parent is the first process of a pid namespace and ends when this one does.
    """
    argv = ("/bin/sh", "-ec", command) if isinstance(command, str) else command
    shown = command if isinstance(command, str) else " ".join(command)
    spec = replace(build.spec, command=argv)
    confinement = Confinement.of(spec, filter_for(spec))
    userns_fd = network_namespace.owner(build.paths.netns)
    # prepare_build has created it with its own user namespace.
    if userns_fd is None:
        raise AssertionError("the network namespace has no user namespace")
    if build.base:
        os.mkdir(build.image.work)
    try:
        run_logged(
            argv,
            log,
            f"command {shown!r}",
            prepare=partial(_mount_root, build, userns_fd),
            environment=environment,
            execute=partial(_run_first_process, build, spec, confinement),
        )
    finally:
        os.close(userns_fd)
        if build.base:
            remove_tree(build.image.work)


def _mount_root(build: BuildContainer, userns_fd: int) -> None:
    """Mount the image as the container's root in this mount namespace only, so that no mount outlives this process."""
    root_id, target = build.ids.base, build.paths.rootfs
    syscalls.set_file_owner(root_id)
    if not build.base:
        mount_idmapped(build.image.rootfs, target, userns_fd, syscalls.MOUNT_ATTR_NODEV)
        return
    # overlayfs requires the upper layer and its work directory in one mount.
    upper = build.paths.upper
    mount_idmapped(build.image.directory, upper, userns_fd, syscalls.MOUNT_ATTR_NODEV)
    with idmapped_layers(build.base, build.paths.lower, userns_fd) as lower:
        mount_overlay(target, lower, os.path.join(upper, "rootfs"), os.path.join(upper, "work"))


def _run_first_process(
    build: BuildContainer,
    spec: ContainerSpec,
    confinement: Confinement,
    argv: Sequence[str],
    environment: dict[str, str],
) -> NoReturn:
    """Run the first process, copy its output to ours, and exit with its status."""
    spec = replace(spec, env=tuple(sorted(environment.items())))
    # A pipe and not the log: processes inside can reopen it through /proc, and must only append to the log.
    output, writer = os.pipe()
    os.fchown(writer, build.ids.base, build.ids.base)
    empty, nobody = os.pipe()
    errors, error_writer = os.pipe()
    wait_go, go = os.pipe()
    os.close(nobody)
    entry = container_cgroup(spec.name).open()
    streams = (empty, writer, writer)
    child = fork_first_process(Start(build.paths, spec, entry, build.ids, confinement, wait_go, error_writer, streams))
    for fd in (writer, empty, error_writer, wait_go):
        os.close(fd)
    if child is not None:
        os.write(go, b"g")
    with open(errors, "rb") as pipe:
        os.write(2, pipe.read())
    if child is None:
        os._exit(_NOT_STARTED)
    while chunk := os.read(output, 1 << 16):
        os.write(1, chunk)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(code if code >= 0 else _SIGNALED - code)
