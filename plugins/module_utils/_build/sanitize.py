# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove the identity of one machine, and leftovers of the build, from a root file system.

The root may come from a foreign archive, so every path is resolved inside it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator

from .._kernel.files.within_root import directory_inside, exists_inside, write_files

# Only regular files are removed: a symlink, like that of systemd-resolved, identifies no machine.
# https://systemd.io/BUILDING_IMAGES names those of systemd.
_OF_ONE_MACHINE = (
    "/etc/hostname",
    "/etc/resolv.conf",
    "/var/lib/dbus/machine-id",
    "/var/lib/systemd/credential.secret",
    "/var/lib/systemd/random-seed",
)
# mmdebstrap's temporary settings of apt.
MMDEBSTRAP_SETTINGS = "/etc/apt/apt.conf.d/99mmdebstrap"
# These, the policy against service starts, and debootstrap's log.
_OF_THE_BUILD = (MMDEBSTRAP_SETTINGS, "/usr/sbin/policy-rc.d", "/var/log/bootstrap.log")
_CACHES = ("/var/lib/apt/lists", "/var/lib/apt/lists/partial", "/var/lib/apt/lists/auxfiles", "/var/cache/apt",
           "/var/cache/apt/archives", "/var/cache/apt/archives/partial")  # fmt: skip
# apt and other programs take the times of these files, and the mtime of the lists directory, as the last update.
_LISTS = "/var/lib/apt/lists"
_OF_UPDATES = {
    "/var/lib/apt/periodic": ("update-stamp", "update-success-stamp"),
    "/var/cache/apt": ("pkgcache.bin", "srcpkgcache.bin"),
}


@contextlib.contextmanager
def opened_root(rootfs: str) -> Iterator[int]:
    """Open the root directory for the block."""
    fd = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def remove_machine_identity(rootfs: str) -> None:
    """Remove the machine id (machine-id(5)), host name, name servers, seeds and keys, and leftovers of builders."""
    with opened_root(rootfs) as root:
        for path in (*_OF_ONE_MACHINE, *_OF_THE_BUILD):
            directory, name = os.path.split(path)
            _remove_files(root, directory, {name}.__contains__)
        _remove_files(root, "/etc/ssh", lambda found: found.startswith("ssh_host_") and "_key" in found)
        if exists_inside(root, "/etc/machine-id"):
            # Empty instead of missing: systemd creates an id, but does not treat the boot as the first one.
            write_files(root, {"/etc/machine-id": b""}, 0o444)
        _age_emptied_lists(root)


def drop_caches(rootfs: str) -> None:
    """Empty apt's lists and caches, which are outdated when the image is used."""
    with opened_root(rootfs) as root:
        for directory in _CACHES:
            _remove_files(root, directory, lambda name: name != "lock")


def _age_emptied_lists(root: int) -> None:
    """Set the mtime of the directory of emptied apt lists to 0, so that the lists do not look fresh.

    Otherwise ansible.builtin.apt with cache_valid_time would not update them (get_updated_cache_time() in its source).
    """
    with directory_inside(root, _LISTS) as lists:
        if lists is None or _has_list(lists):
            return
        if os.fstat(lists).st_mtime_ns:
            os.utime(lists, ns=(0, 0))
    for directory, names in _OF_UPDATES.items():
        _remove_files(root, directory, names.__contains__)


def _has_list(lists: int) -> bool:
    with os.scandir(lists) as entries:
        return any(entry.name != "lock" and _is_file(lists, entry.name) for entry in entries)


def _is_file(directory: int, name: str) -> bool:
    return stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)


def _remove_files(root: int, path: str, which: Callable[[str], bool]) -> None:
    with directory_inside(root, path) as fd:
        if fd is None:
            return
        with os.scandir(fd) as entries:
            for entry in entries:
                if which(entry.name) and _is_file(fd, entry.name):
                    os.unlink(entry.name, dir_fd=fd)
