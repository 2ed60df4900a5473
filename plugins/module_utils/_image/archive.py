# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images from archives, and archives of images: tar, the same bytes each time.

Source of the latter: https://reproducible-builds.org/docs/archives/
"""

from __future__ import annotations

import hashlib
import os
import stat

from .._errors import InvalidInput, NotFound
from .._linux.commands import require_program
from .._linux.files import sync_directory
from .._linux.inside_root import exists_inside
from .._model.image import Source
from .isolated import run_logged
from .neutral import opened

# By suffix: the program (and Debian package), and options that make its output depend on its input alone.
_COMPRESSORS = {(".zst", ".tzst"): ("zstd", "-T0 -10"), (".gz", ".tgz"): ("gzip", "-n")}
# By the first bytes: the program and its Debian package.
_DECOMPRESSORS = {
    b"\x1f\x8b": ("gzip", "gzip"),
    b"\xfd7zXZ\0": ("xz", "xz-utils"),
    b"BZh": ("bzip2", "bzip2"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd"),
}


def checksum(path: str) -> str:
    """sha256 of a file, as sha256:HEX."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def file_stat(path: str) -> tuple[int, ...]:
    """Size and mtime (ns): a file that has them still is taken for unchanged. Empty where there is no plain file."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else ()


def check_source(source: Source) -> str:
    """The checksum of a source that can be unpacked here. Raises NotFound, InvalidInput, HostNotCapable."""
    archive = source.archive
    if not os.path.isfile(archive):
        raise NotFound(f"source: archive {archive} does not exist on the managed host", "copy it there first")
    require_program("tar", "tar")
    with open(archive, "rb") as file:
        first = file.read(8)
    for magic, (program, package) in _DECOMPRESSORS.items():
        if first.startswith(magic):
            require_program(program, package)
    found = checksum(archive)
    if source.checksum not in (None, found):
        raise InvalidInput(f"source: archive {archive} has the checksum {found}, not {source.checksum}")
    return found


def unpack(source: Source, rootfs: str, log: str) -> Source:
    """Unpack an archive into `rootfs`; the source with its checksum. Raises as `check_source`, and EffectFailed.

    GNU tar refuses members with `..`, strips a leading `/`, and makes links that lead out last, so that nothing gets
    out by them.
    """
    found = check_source(source)
    os.mkdir(rootfs)
    os.chmod(rootfs, 0o755)
    tar = ["tar", "--extract", f"--file={source.archive}", f"--directory={rootfs}", "--numeric-owner", "--same-owner",
           "--same-permissions", "--force-local", "--xattrs", "--xattrs-include=*", "--acls"]  # fmt: skip
    run_logged(tar, log, f"unpacking {source.archive}")
    with opened(rootfs) as root:
        if not (exists_inside(root, "/bin/sh") or exists_inside(root, "/usr/bin/sh")):
            raise InvalidInput(f"{source.archive} holds no root file system: there is no /bin/sh in it")
    return Source(source.archive, found)


def require_compressor(archive: str) -> None:
    """Raises HostNotCapable where the program for the archive's suffix is missing."""
    require_program("tar", "tar")
    for program, _ in _compressor(archive):
        require_program(program, program)


def partial_export(archive: str, image: str) -> str:
    """Where `archive` is written until it is whole: one place for each image, so that the next run finds it."""
    directory, name = os.path.split(archive)
    return os.path.join(directory, f".{name[:150]}.conductor-{image}")


def export(rootfs: str, archive: str, partial: str, newest: int, log: str) -> None:
    """Write `rootfs` to `archive`: whole or not at all. Times after `newest` (seconds) are set to it.

    Only root may read it, as with the image: it has /etc/shadow in it.
    """
    tar = ["tar", "--create", "--file=-", f"--directory={rootfs}", "--sort=name", f"--mtime=@{newest}", "--clamp-mtime",
           "--numeric-owner", "--xattrs", "--acls", "--format=posix", "--one-file-system",
           "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"]  # fmt: skip
    tar += [f"--use-compress-program={program} {options}" for program, options in _compressor(archive)]
    remove_partial(partial)
    # The directory may be a user's: a link that was laid there must not be written through.
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        run_logged([*tar, "."], log, f"export to {archive}", stdout=fd)
        os.fsync(fd)
        os.rename(partial, archive)
    except BaseException:
        remove_partial(partial)
        raise
    finally:
        os.close(fd)
    sync_directory(os.path.dirname(archive))


def remove_partial(partial: str) -> None:
    """Remove what an interrupted export left."""
    try:
        os.unlink(partial)
    except FileNotFoundError:
        return


def _compressor(archive: str) -> list[tuple[str, str]]:
    """Program and options for the suffix; none for a plain .tar."""
    return [value for suffixes, value in _COMPRESSORS.items() if archive.endswith(suffixes)]
