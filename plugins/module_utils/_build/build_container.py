# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container in which the commands of an image run: made for one build, and removed after it.

Its first process is the command itself, entered by the same code as any container's. Its root is the image that is
being made, shown under the container's ids by an idmapped mount: the files on disk have the ids that they have inside.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

from .._container import stop
from .._container.cgroup_paths import cgroup_of
from .._container.devices import device_rules
from .._container.exec.privileges import Confinement
from .._container.init_process import exec_first_process
from .._container.rootfs import shown_layers
from .._container.seccomp.filters import filter_for
from .._container.spec.container import ContainerSpec
from .._container.spec.mounts import Mount
from .._container.store import clear_staging, has_staging, remove_directory
from .._engine.id_range import IdRange
from .._engine.paths import BUILD_PREFIX, ContainerPaths, ImagePaths
from .._engine.settings import Settings
from .._errors import HostNotCapable
from .._image.spec import Command
from .._kernel import network_namespace, syscalls
from .._kernel.cgroup import Cgroup
from .._kernel.files.atomic_write import remove_tree
from .._kernel.idmapped_mount import mount_idmapped
from .._kernel.overlayfs import mount_overlay
from .._network.stages import take_away_network
from .isolated_program import run_logged

# As podman limits a container's processes.
_PIDS = 2048
# As a shell, the exit status of a command that was killed is this and the signal's number.
_SIGNALED = 128


@dataclass(frozen=True)
class BuildContainer:
    """A container whose cgroup and network namespace exist, for the image in `image` with the layers `base`."""

    paths: ContainerPaths
    spec: ContainerSpec
    ids: IdRange
    image: ImagePaths
    base: Sequence[str]


def build_paths(settings: Settings, image: str) -> ContainerPaths:
    """The files of the container for image `image`."""
    return ContainerPaths.of(settings.container_dir, BUILD_PREFIX + image)


def build_spec(image: str) -> ContainerSpec:
    """The container for image `image`, as far as its command is not known."""
    return ContainerSpec(
        name=BUILD_PREFIX + image,
        image=image,
        # By number: an image need not have users.
        user="0",
        hostname="localhost",
        mounts=(Mount(type="tmpfs", target="/tmp"),),
        pids=_PIDS,
    )


def has_leftovers(paths: ContainerPaths) -> bool:
    """Whether a killed build left anything of its container."""
    return os.path.lexists(paths.directory) or has_staging(paths) or bool(stop.leftovers(paths))


def remove_build(settings: Settings, paths: ContainerPaths) -> None:
    """Remove the container with all that it used of the host. For the holder of the image's lock."""
    stop.kill_all(cgroup_of(paths.name))
    take_away_network(settings, paths.name)
    stop.clean_up(paths)
    remove_directory(paths)
    clear_staging(paths)


def prepare_build(paths: ContainerPaths, spec: ContainerSpec, ids: IdRange) -> None:
    """Make cgroup and network namespace. Raises HostNotCapable, EffectFailed."""
    cgroup = cgroup_of(spec.name)
    cgroup.create()
    _limit(cgroup, spec)
    cgroup.allow_devices(device_rules(spec))
    network_namespace.create(paths.netns, ids.map_line)


def _limit(cgroup: Cgroup, spec: ContainerSpec) -> None:
    try:
        cgroup.set_limits(0, 0, spec.pids)
    except HostNotCapable:
        # Nobody asked for that limit.
        cgroup.set_limits(0, 0, 0)


def run_command(build: BuildContainer, command: Command, log: str, environment: dict[str, str]) -> None:
    """Run `command` as the container's first process, with its output in the file `log`. Raises EffectFailed.

    It ends with us: a process between, which is the first of a pid namespace of its own, ends when we do.
    """
    argv = ("/bin/sh", "-ec", command) if isinstance(command, str) else command
    shown = command if isinstance(command, str) else " ".join(command)
    spec = replace(build.spec, command=argv)
    confinement = Confinement.of(spec, filter_for(spec))
    userns_fd = network_namespace.owner(build.paths.netns)
    # prepare_build has made it with a user namespace of its own.
    assert userns_fd is not None
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
    """Mount the image's root on the container's, for this mount namespace only: none is left if we are killed."""
    root_id, target = build.ids.base, build.paths.rootfs
    syscalls.set_file_owner(root_id)
    if not build.base:
        mount_idmapped(build.image.rootfs, target, userns_fd, syscalls.MOUNT_ATTR_NODEV)
        return
    # The upper layer and its work directory, which have to be in one mount.
    upper = build.paths.upper
    mount_idmapped(build.image.directory, upper, userns_fd, syscalls.MOUNT_ATTR_NODEV)
    with shown_layers(build.base, build.paths.lower, userns_fd) as lower:
        mount_overlay(target, lower, os.path.join(upper, "rootfs"), os.path.join(upper, "work"))


def _run_first_process(
    build: BuildContainer,
    spec: ContainerSpec,
    confinement: Confinement,
    argv: Sequence[str],
    environment: dict[str, str],
) -> NoReturn:
    """Run the first process, pass its output on to ours, and end as it does."""
    spec = replace(spec, env=tuple(sorted(environment.items())))
    # A pipe, so that those inside can open it once more and do no more to the log than write to its end.
    output, writer = os.pipe()
    os.fchown(writer, build.ids.base, build.ids.base)
    empty, nobody = os.pipe()
    errors, error_writer = os.pipe()
    wait_go, go = os.pipe()
    os.close(nobody)
    entry = cgroup_of(spec.name).open()
    child = entry.fork(syscalls.CLONE_NEWPID)
    if child == 0:
        streams = (empty, writer, writer)
        exec_first_process(
            build.paths, spec, entry, build.ids.base, confinement, wait_go, error_writer, streams
        )  # fmt: skip
    for fd in (writer, empty, error_writer, wait_go):
        os.close(fd)
    os.write(go, b"g")
    with open(errors, "rb") as pipe:
        os.write(2, pipe.read())
    while chunk := os.read(output, 1 << 16):
        os.write(1, chunk)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(code if code >= 0 else _SIGNALED - code)
