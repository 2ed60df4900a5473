# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Staging directories of images under construction or deletion, with dotted names next to the images."""

from __future__ import annotations

import errno
import os
import time

from .._engine.paths import STAGING_PREFIX, ImagePaths
from .._kernel.files.atomic_write import remove_tree, sync_directory
from .._kernel.run_program import require_program, run

_KINDS = ("build", "gone")


def leftovers(image_dir: str, name: str) -> list[str]:
    """Return directories of interrupted builds and removals of the image. The caller holds the image's lock."""
    prefixes = [f"{STAGING_PREFIX}{kind}-{name}-" for kind in _KINDS]
    try:
        entries = os.listdir(image_dir)
    except FileNotFoundError:
        return []
    # The random suffix has no '-', so image web does not match the directories of image web-2.
    return [os.path.join(image_dir, entry) for entry in entries if f"{entry.rpartition('-')[0]}-" in prefixes]


def clear(image_dir: str, name: str, timeout: float = 10.0) -> None:
    """Delete leftovers. Retry for `timeout` seconds while a killed builder still writes to them."""
    deadline = time.monotonic() + timeout
    for directory in leftovers(image_dir, name):
        while True:
            try:
                remove_tree(directory)
                break
            except OSError as error:
                if error.errno != errno.ENOTEMPTY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


def log_file(image_dir: str, name: str) -> str:
    """Return the path of the log of the last build, import or export of the image."""
    return os.path.join(image_dir, f"{STAGING_PREFIX}logs", f"{name}.log")


def start_log(image_dir: str, name: str) -> str:
    """Create or truncate the image's log; return its path."""
    log = log_file(image_dir, name)
    os.makedirs(os.path.dirname(log), mode=0o700, exist_ok=True)
    os.close(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    return log


def new_staging(image_dir: str, name: str) -> ImagePaths:
    """Create a directory to build the image in."""
    os.makedirs(image_dir, mode=0o711, exist_ok=True)
    directory = _dotted(image_dir, "build", name)
    # Mode 0700 from the start: the directory will contain setuid programs.
    os.mkdir(directory, 0o700)
    return ImagePaths(directory)


def put_in_place(staging: ImagePaths, final: ImagePaths) -> None:
    """Sync the staging directory, rename it to the image's directory, and delete the previous image."""
    run([require_program("sync", "coreutils"), "--file-system", staging.directory])
    image_dir, name = os.path.split(final.directory)
    trash = _dotted(image_dir, "gone", name)
    if os.path.lexists(final.directory):
        os.rename(final.directory, trash)
    os.rename(staging.directory, final.directory)
    sync_directory(image_dir)
    remove_tree(trash)


def remove_image(paths: ImagePaths) -> None:
    """Remove the image at once by a rename, then delete its files."""
    image_dir, name = os.path.split(paths.directory)
    trash = _dotted(image_dir, "gone", name)
    os.rename(paths.directory, trash)
    sync_directory(image_dir)
    remove_tree(trash)


def tree_size(directory: str) -> int:
    """Return the disk usage of `directory` in bytes; hard links count once."""
    return int(run([require_program("du", "coreutils"), "-sx", "-B1", directory]).split()[0])


def highest_id(directory: str, least: int) -> int:
    """Return the highest owner or group id of the files in `directory`, or `least` if none is above it."""
    beyond = ["(", "-uid", f"+{least}", "-o", "-gid", f"+{least}", ")"]
    found = run([require_program("find", "findutils"), directory, "-xdev", *beyond, "-printf", "%U %G "]).split()
    return max(map(int, found), default=least)


def _dotted(image_dir: str, kind: str, name: str) -> str:
    return os.path.join(image_dir, f"{STAGING_PREFIX}{kind}-{name}-{os.urandom(4).hex()}")
