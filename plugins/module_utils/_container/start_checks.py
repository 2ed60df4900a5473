# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks before a start that change nothing, so that check mode reports their errors, too."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

from .._engine.id_range import END, SIZE, IdRange
from .._engine.paths import ContainerPaths
from .._engine.settings import Settings
from .._errors import InvalidInput, mark_pending
from .._image.store import image_layers
from .._kernel.path_text import resolve, to_bytes
from .._kernel.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2
from .devices import check_devices
from .limits import check_limits
from .mounts import check_idmapped
from .plan.id_ranges import DEFAULT
from .propagation import check_propagation
from .seccomp import filters as seccomp_filters
from .spec.container import ContainerSpec
from .spec.mounts import Mount
from .sysctls import check_sysctls
from .timezone import check_timezone
from .users import require_ids, resolve_groups, resolve_user


def check_startable(settings: Settings, paths: ContainerPaths, spec: ContainerSpec) -> None:
    """Check what a start of `spec` requires. Changes nothing. Raises InvalidInput, HostNotCapable."""
    check_sources(spec.mounts)
    for mount in spec.mounts:
        _check_target(mount, spec.mounts)
        check_propagation(mount)
    idmapped = [mount for mount in spec.mounts if mount.type == "bind" and mount.idmap]
    if idmapped and spec.userns != "host":
        # With any range: the result depends on the file system only.
        check_idmapped(idmapped, IdRange(DEFAULT.base))
    check_devices(spec)
    check_limits(spec)
    check_sysctls(spec.sysctls)
    roots = [paths.upper, *image_layers(settings.image_dir, spec.image)]
    if spec.init and not _has_init(roots):
        raise InvalidInput(
            f"{spec.name}: image {spec.image} has no init (/sbin/init)",
            "add systemd-sysv and dbus to the packages of the image, or set init: false",
        )
    size = {"auto": SIZE, "host": END}[spec.userns] if isinstance(spec.userns, str) else spec.userns.size
    require_ids(spec.user, resolve_user(spec.user, roots), size, resolve_groups(spec.groups, roots))
    check_timezone(spec.timezone, roots)
    seccomp_filters.check(spec)


def check_sources(mounts: Iterable[Mount]) -> None:
    """Check that the sources of bind mounts exist. Raises InvalidInput."""
    for mount in mounts:
        if mount.type == "bind":
            _check_source(mount.source)


def _check_source(source: str) -> None:
    path = to_bytes(source)
    real = resolve(source)
    if not os.path.lexists(path):
        missing = InvalidInput(f"mounts: source {source} does not exist on the host", "create it, or correct the path")
        raise mark_pending(missing)
    if real != source:
        raise InvalidInput(f"mounts: source {source} leads through a symlink to {real}", f"set source to {real}")


def _check_target(mount: Mount, mounts: Iterable[Mount]) -> None:
    """Raises InvalidInput if the target does not exist and would have to be created in a read-only mount."""
    above = [other for other in mounts if mount.target.startswith(f"{other.target}/")]
    parent = max(above, key=lambda other: len(other.target), default=None)
    if parent is None or not parent.read_only:
        return
    below = parent.source + mount.target[len(parent.target) :]
    if parent.type == "tmpfs" or not os.path.lexists(to_bytes(below)):
        raise InvalidInput(
            f"mounts: target {mount.target} does not exist in {parent.target}, which is mounted read-only",
            f"create {below} on the host, or set read_only: false for {parent.target}"
            if parent.type == "bind"
            else f"set read_only: false for {parent.target}",
        )


def _has_init(roots: Iterable[str]) -> bool:
    """Whether a root with these layers, topmost first, has /sbin/init. Overlayfs marks a removed file by a device."""
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
