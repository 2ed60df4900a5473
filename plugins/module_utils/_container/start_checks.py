# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of a start that are found before anything is changed, so that check mode reports them too."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

from .._engine.id_range import END, SIZE, IdRange
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import InvalidInput
from .._image.store import image_layers
from .._kernel.execute import to_bytes
from .._kernel.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from .devices import check_devices
from .limits import check_limits
from .mounts import check_idmapped
from .plan.id_ranges import DEFAULT
from .seccomp import filters as seccomp_filters
from .spec.container import ContainerSpec
from .spec.mounts import Mount
from .users import require_ids, resolve_user


def check_startable(settings: Settings, paths: ContainerPaths, spec: ContainerSpec) -> None:
    """What would make the start fail, found before anything is changed. Raises InvalidInput, HostNotCapable."""
    for mount in spec.mounts:
        if mount.type == "bind":
            _check_source(mount.source)
    for mount in spec.mounts:
        _check_target(mount, spec.mounts)
    shown = [mount for mount in spec.mounts if mount.type == "bind" and mount.idmap]
    if shown and spec.userns != "host":
        # Whichever ids: it depends on the file system alone.
        check_idmapped(shown, IdRange(DEFAULT.base))
    check_devices(spec)
    check_limits(spec)
    roots = [paths.upper, *image_layers(settings.image_dir, spec.image)]
    if spec.init and not _has_init(roots):
        raise InvalidInput(
            f"{spec.name}: image {spec.image} has no init (/sbin/init)",
            "add systemd-sysv and dbus to packages of the image, or set init: false",
        )
    size = {"auto": SIZE, "host": END}[spec.userns] if isinstance(spec.userns, str) else spec.userns.size
    require_ids(spec.user, resolve_user(spec.user, roots), size)
    seccomp_filters.check(spec)


def _check_source(source: str) -> None:
    path = to_bytes(source)
    real = os.path.realpath(path).decode(errors="surrogateescape")
    if not os.path.lexists(path):
        raise InvalidInput(f"mounts: source {source} does not exist on the host", "make it first, or correct it")
    if real != source:
        raise InvalidInput(f"mounts: source {source} leads by a link to {real}", f"write {real} if that is meant")


def _check_target(mount: Mount, mounts: Iterable[Mount]) -> None:
    """Raises InvalidInput where the target would have to be made in what is mounted there read-only."""
    above = [other for other in mounts if mount.target.startswith(f"{other.target}/")]
    parent = max(above, key=lambda other: len(other.target), default=None)
    if parent is None or not parent.read_only:
        return
    below = parent.source + mount.target[len(parent.target) :]
    if parent.type == "tmpfs" or not os.path.lexists(to_bytes(below)):
        raise InvalidInput(
            f"mounts: target {mount.target} does not exist in {parent.target}, which is mounted read-only",
            f"make {below} on the host, or mount {parent.target} writable"
            if parent.type == "bind"
            else f"mount {parent.target} writable",
        )


def _has_init(roots: Iterable[str]) -> bool:
    """Whether a root with these layers, upmost first, has /sbin/init. What is removed in a layer is a device there."""
    for root in roots:
        for path in ("usr/sbin/init", "sbin/init"):
            with contextlib.suppress(OSError):
                root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    fd = openat2(root_fd, path, os.O_PATH | os.O_NOFOLLOW, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
                finally:
                    os.close(root_fd)
                try:
                    return not stat.S_ISCHR(os.fstat(fd).st_mode)
                finally:
                    os.close(fd)
    return False
