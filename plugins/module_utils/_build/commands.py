# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container for an image's commands: check its requirements before a build, create it, and run the commands."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from .._container.id_ranges import SUBGID, SUBUID, assigned_ids, subid_files
from .._container.plan.id_ranges import IdsView, choose_range, unregistered_ids
from .._container.rootfs import check_idmap
from .._container.seccomp import filters as seccomp_filters
from .._container.spec.container import ContainerSpec
from .._container.store import create_directory
from .._container.subid_files import register_ids
from .._engine.engine import perform
from .._engine.id_range import IdRange
from .._engine.locks import ids_lock, network_lock
from .._engine.paths import LOCK_DIR, ContainerPaths, ImagePaths
from .._engine.settings import Settings
from .._errors import HostNotCapable
from .._image.spec.recipe import Command
from .._kernel.files.atomic_write import read_text
from .._kernel.files.within_root import directory_inside, exists_inside, write_files
from .._kernel.flock import Lock, locked
from .._kernel.loopback_relay import Address, relay_loopback
from .._network.hosts_files import inside_files
from .._network.plan.view import ContainerView
from .._network.use_case import NetworkCase
from .build_container import BuildContainer, build_paths, build_spec, prepare_build, remove_build, run_command
from .isolated_program import PROXIES
from .layers import mounted_layers
from .sanitize import opened_root

_RESOLV, _POLICY = "/etc/resolv.conf", "/usr/sbin/policy-rc.d"
_NETWORK = {"state": "present", "internet": True, "host_access": False}
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}


class BuildNetwork(NetworkCase):
    """The network of a build container: internet access, without access to the host or to other containers."""

    def __init__(self, settings: Settings, name: str) -> None:
        super().__init__({"container": name, **_NETWORK}, settings)

    @staticmethod
    def _parse_name(value: object) -> str:
        # The name is ours. It is not valid for containers of users.
        return str(value)

    def locks(self) -> Iterable[Lock]:
        # The lock of the image covers its build container and is held.
        return [network_lock()]

    def check(self) -> None:
        """Raise the errors that creating the network would raise. Changes nothing."""
        view = self.observe()
        there = ContainerView(self.name, container_id="0" * 16, hostname=self.name, attached=True)
        self.plan(replace(view, containers={**view.containers, self.name: there}))


def check_commands(settings: Settings, image: str) -> None:
    """Raise the error with which commands would fail on this host, before a long build begins. Changes nothing."""
    spec = build_spec(image)
    seccomp_filters.check(spec)
    place = settings.image_dir
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    try:
        check_idmap([place], choose_range("auto", _ids_view(settings, spec.name)))
        BuildNetwork(settings, spec.name).check()
    except HostNotCapable as error:
        raise HostNotCapable(f"commands of image {image} cannot run: {error.message}", error.hint) from None


@dataclass(frozen=True)
class CommandRunner:
    """Runs commands in an image under construction. `paths`, `spec` and `ids` belong to the build container."""

    settings: Settings
    paths: ContainerPaths
    spec: ContainerSpec
    ids: IdRange
    warnings: tuple[str, ...] = ()

    def run(
        self,
        commands: Iterable[Command],
        image: ImagePaths,
        base: tuple[str, ...],
        log: str,
        proxies: Mapping[str, str],
    ) -> None:
        """Run `commands` in order in `image`, which has the layers `base` below it. Raises EffectFailed."""
        given = {name: os.environ[name] for name in PROXIES if name in os.environ}
        environment = {**_ENVIRONMENT, **given, **proxies}
        build = BuildContainer(self.paths, self.spec, self.ids, image, base)
        with mounted_layers(image, base, writable=True):
            link = self._write_files(image.rootfs)
        with relay_loopback(loopback_addresses(environment), self.paths.netns):
            for command in commands:
                run_command(build, command, log, environment)
        with mounted_layers(image, base, writable=True):
            _restore_link(image.rootfs, link)

    def _write_files(self, rootfs: str) -> str | None:
        """Write resolv.conf, and the policy that keeps packages from starting services.

        Return the target of resolv.conf if it was a symlink.
        """
        with opened_root(rootfs) as root:
            files = inside_files(self.settings, self.spec.name, self.spec.hostname, root)
            link = _link(root)
            write_files(root, {_RESOLV: files.get(_RESOLV, b"")})
            if exists_inside(root, os.path.dirname(_POLICY)):
                # invoke-rc.d(8): 101 forbids the action. `remove_machine_identity` removes the file.
                write_files(root, {_POLICY: b"#!/bin/sh\nexit 101\n"}, 0o755)
        return link


@contextlib.contextmanager
def command_runner(settings: Settings, image: str) -> Iterator[CommandRunner]:
    """Provide the build container of `image` with its network for the block. The caller holds the image's lock."""
    paths, spec = build_paths(settings, image), build_spec(image)
    try:
        with locked(LOCK_DIR, ids_lock(), settings.lock_timeout):
            view = _ids_view(settings, spec.name)
            ids = choose_range("auto", view)
            if subid_files():
                register_ids(unregistered_ids(ids, view), settings.lock_timeout)
            create_directory(paths, spec, ids)
        prepare_build(paths, spec, ids)
        done = perform(BuildNetwork(settings, spec.name))
        yield CommandRunner(settings, paths, spec, ids, tuple(done.get("warnings", ())))
    finally:
        remove_build(settings, paths)


def loopback_addresses(environment: Mapping[str, str]) -> set[Address]:
    """Return the loopback addresses of the proxies in `environment`."""
    found: set[Address] = set()
    for name, value in environment.items():
        if name not in PROXIES or name == "no_proxy":
            continue
        with contextlib.suppress(ValueError):
            place = urlsplit(value if "://" in value else f"http://{value}")
            port = place.port or (443 if place.scheme == "https" else 80)
            host = place.hostname or ""
            if host == "localhost":
                found |= {("127.0.0.1", port), ("::1", port)}
            elif host.startswith("127.") or host == "::1":
                found.add((host, port))
    return found


def _ids_view(settings: Settings, name: str) -> IdsView:
    return IdsView(read_text(SUBUID), read_text(SUBGID), assigned_ids(settings.container_dir, name))


def _link(root: int) -> str | None:
    """Return the target of /etc/resolv.conf if it is a symlink, else None."""
    directory, name = os.path.split(_RESOLV)
    with directory_inside(root, directory) as fd:
        if fd is None:
            return None
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return os.readlink(name, dir_fd=fd) if stat.S_ISLNK(found.st_mode) else None


def _restore_link(rootfs: str, link: str | None) -> None:
    if link is None:
        return
    directory, name = os.path.split(_RESOLV)
    with opened_root(rootfs) as root, directory_inside(root, directory) as fd:
        if fd is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=fd)
            os.symlink(link, name, dir_fd=fd)
