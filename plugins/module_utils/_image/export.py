# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image as an archive: the same bytes each time (https://reproducible-builds.org/docs/archives/)."""

from __future__ import annotations

import os

from .._linux.commands import find_program, require_program
from .._linux.files import sync_directory
from .isolated import run_logged

# By suffix: the program, its Debian package, and options that make its output depend on its input alone.
_COMPRESSORS = {
    (".zst", ".tzst"): ("zstd", "zstd", "-T0 -10"),
    (".gz", ".tgz"): ("gzip", "gzip", "-n"),
}


def compressor_of(archive: str) -> tuple[str, str, str] | None:
    """Program, package and options for the suffix of `archive`; None for a plain .tar."""
    return next((value for suffixes, value in _COMPRESSORS.items() if archive.endswith(suffixes)), None)


def export_rootfs(rootfs: str, archive: str, newest: int, log: str) -> None:
    """Write `rootfs` to `archive`: whole or not at all. Times after `newest` (seconds) are set to it."""
    temporary = f"{archive}.{os.getpid()}.tmp"
    tar = [
        require_program("tar", "tar"), "--create", f"--file={temporary}", f"--directory={rootfs}", "--sort=name",
        f"--mtime=@{newest}", "--clamp-mtime", "--numeric-owner", "--xattrs", "--acls", "--format=posix",
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", "--one-file-system",
    ]  # fmt: skip
    compressor = compressor_of(archive)
    if compressor:
        program, package, options = compressor
        tar.append(f"--use-compress-program={find_program(program) or require_program(program, package)} {options}")
    try:
        run_logged([*tar, "."], log, f"export to {archive}")
        os.rename(temporary, archive)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)
    sync_directory(os.path.dirname(archive))
