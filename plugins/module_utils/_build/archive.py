# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import and export of images as tar archives. Exports are reproducible.

Source of the tar options for that: https://reproducible-builds.org/docs/archives/
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import stat
from collections.abc import Callable, Iterator

from .._errors import InvalidInput, NotFound, mark_pending, printable
from .._image.spec.recipe import Source
from .._kernel.files.atomic_write import sync_directory
from .._kernel.files.within_root import directory_inside, exists_inside
from .._kernel.run_program import require_program
from .isolated_program import run_logged
from .layers import make_directory
from .read_and_hash import read_once
from .sanitize import opened_root

# By suffix: the program (also its Debian package), and options for reproducible output.
_COMPRESSORS = {(".zst", ".tzst"): ("zstd", "-T0 -10"), (".gz", ".tgz"): ("gzip", "-n")}
# By magic number: the program and its Debian package.
_DECOMPRESSORS = {
    b"\x1f\x8b": ("gzip", "gzip"),
    b"\xfd7zXZ\0": ("xz", "xz-utils"),
    b"BZh": ("bzip2", "bzip2"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd"),
}


def file_stat(path: str) -> tuple[int, ...]:
    """Return size and mtime (ns), which identify an unchanged file; empty if `path` is not a regular file."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return _size_and_time(found) if stat.S_ISREG(found.st_mode) else ()


def changed_checksum(path: str, known: tuple[int, ...]) -> str | None:
    """Return sha256:HEX of the archive at `path`; None if it is missing or has the identity `known` (see `unpack`)."""
    try:
        with _opened_archive(path) as fd:
            return None if _identity(os.fstat(fd)) == known else _checksum(fd)
    except NotFound:
        return None


def check_source(path: str, checksum: str | None) -> str:
    """Return the checksum of an archive that this host can unpack.

    Raises NotFound, InvalidInput if its checksum is not `checksum`, HostNotCapable if a program is missing.
    """
    require_program("tar", "tar")
    with _opened_archive(path) as fd:
        _decompressor(fd)
        found = _checksum(fd)
    _check_checksum(path, checksum, found)
    return found


def unpack(path: str, checksum: str | None, rootfs: str, log: str) -> tuple[Source, tuple[int, ...]]:
    """Unpack an archive into `rootfs`; return it as a source with its checksum, and the identity of the file.

    The checksum is that of the bytes that tar has read, even if the file or its directory is written to meanwhile.
    Raises the errors of `check_source`, and EffectFailed. GNU tar refuses members with `..`, strips a leading `/`, and
    creates links that lead out of the directory last, so that no member is written through them.
    """
    tar = ["tar", "--extract", "--file=-", f"--directory={rootfs}", "--numeric-owner", "--same-owner",
           "--same-permissions", "--xattrs", "--xattrs-include=*", "--acls"]  # fmt: skip
    with _opened_archive(path) as fd:
        tar += [f"--use-compress-program={program}" for program in _decompressor(fd)]
        make_directory(rootfs)
        with read_once(fd, os.fstat(fd).st_size) as reading:
            try:
                run_logged(tar, log, f"unpacking {path}", stdin=reading.pipe)
            finally:
                # A wrong checksum is the cause of an error of tar, so report it first.
                found = f"sha256:{reading.digest()}"
                _check_checksum(path, checksum, found)
        identity = _identity(os.fstat(fd))
    _open_to_users(rootfs)
    check_root(path, rootfs)
    return Source(path, found), identity


def check_root(path: str, rootfs: str) -> None:
    """Raise InvalidInput if the content of the archive at `path`, unpacked in `rootfs`, is no root file system."""
    with opened_root(rootfs) as root:
        if not _has_shell(root):
            raise InvalidInput(
                f"source: archive {path} has no root file system: /bin/sh is missing",
                _remedy(root),
            )


def _has_shell(root: int) -> bool:
    return exists_inside(root, "/bin/sh") or exists_inside(root, "/usr/bin/sh")


def _remedy(root: int) -> str:
    """Return how to make a root file system of the content: images of LXD and Incus have it in a directory."""
    with directory_inside(root, "/") as top, os.scandir(top) as entries:
        directories = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    for name in directories:
        with directory_inside(root, name) as directory:
            if directory is not None and _has_shell(directory):
                return (
                    "unpack it as root, and give an archive of the content of its directory, which "
                    f"tar -C {shlex.quote(printable(name))} -cf ARCHIVE . makes"
                )
    # https://github.com/moby/docker-image-spec, https://github.com/opencontainers/image-spec/blob/main/image-layout.md
    if exists_inside(root, "/manifest.json") or exists_inside(root, "/index.json"):
        return (
            "it is an image of docker or of the OCI format, in layers: give the archive that docker export or podman "
            "export writes of a container"
        )
    return "name a tar archive of a complete root file system"


def _open_to_users(rootfs: str) -> None:
    """Give the root directory the owner and mode of / again: the archive has those of the directory that was packed."""
    fd = os.open(rootfs, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(fd, 0, 0)
        os.fchmod(fd, 0o755)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _opened_archive(path: str) -> Iterator[int]:
    """Open the regular file at `path`. Raises NotFound, InvalidInput if it is not a regular file."""
    try:
        # O_NONBLOCK: the open of a FIFO without a writer would block.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        missing = NotFound(f"source: archive {path} does not exist on the managed host", "copy it there first")
        raise mark_pending(missing) from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise InvalidInput(f"source: archive {path} is not a regular file", "name a tar archive")
        yield fd
    finally:
        os.close(fd)


def _checksum(fd: int) -> str:
    """Return sha256:HEX of the current content of the file."""
    digest, offset = hashlib.sha256(), 0
    end = os.fstat(fd).st_size
    while offset < end and (chunk := os.pread(fd, min(1 << 20, end - offset), offset)):
        digest.update(chunk)
        offset += len(chunk)
    return f"sha256:{digest.hexdigest()}"


def _check_checksum(path: str, wanted: str | None, found: str) -> None:
    if wanted not in (None, found):
        raise InvalidInput(
            f"source: archive {path} has the checksum {found}, not {wanted}", "correct checksum or replace the archive"
        )


def _decompressor(fd: int) -> list[str]:
    """Return the program that decompresses the file; empty if it is plain. Raises HostNotCapable if it is missing."""
    first = os.pread(fd, 8, 0)
    return [require_program(*found) for magic, found in _DECOMPRESSORS.items() if first.startswith(magic)]


def _size_and_time(found: os.stat_result) -> tuple[int, ...]:
    return found.st_size, found.st_mtime_ns


def _identity(found: os.stat_result) -> tuple[int, ...]:
    """Return size, mtime, ctime and inode number. Unlike the mtime, the ctime cannot be set (inode(7))."""
    return (*_size_and_time(found), found.st_ctime_ns, found.st_ino)


def check_target(archive: str) -> None:
    """Raise NotFound, InvalidInput or HostNotCapable if this host cannot write `archive`."""
    directory = os.path.dirname(archive)
    if not os.path.isdir(directory):
        raise mark_pending(NotFound(f"archive: directory {directory} does not exist", "create it first"))
    if os.path.isdir(archive):
        raise InvalidInput(f"archive: {archive} is a directory", "name the file to write")
    require_program("tar", "tar")
    for program, _ in _compressor(archive):
        require_program(program, program)


def partial_export(archive: str, image: str) -> str:
    """Return the path at which `archive` is written until complete: fixed per image, so that the next run finds it."""
    directory, name = os.path.split(archive)
    return os.path.join(directory, f".{name[:150]}.conductor-{image}")


def export(
    rootfs: str, archive: str, partial: str, newest: int, log: str, record: Callable[[tuple[int, ...]], None]
) -> None:
    """Write `rootfs` to `archive` atomically. Clamp mtimes to `newest` (seconds).

    `record` is called with the `file_stat` of the archive before it gets its name, so that a run that follows an
    interrupted one does not take it for a file of somebody else.

    Only root can read the file, as with the image: it contains /etc/shadow. Holes stay holes. tar puts its own pid into
    the names of sparse files; the pid is always 1 in a pid namespace of its own, so the output stays reproducible.
    """
    tar = ["tar", "--create", "--file=-", "--sparse", f"--directory={rootfs}", "--sort=name", f"--mtime=@{newest}",
           "--clamp-mtime", "--numeric-owner", "--xattrs", "--acls", "--format=posix", "--one-file-system",
           "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"]  # fmt: skip
    tar += [f"--use-compress-program={program} {options}" for program, options in _compressor(archive)]
    remove_partial(partial)
    # The directory may belong to a user, who must not redirect the write by a symlink.
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        run_logged([*tar, "."], log, f"export to {archive}", stdout=fd)
        os.fsync(fd)
        record(_size_and_time(os.fstat(fd)))
        os.rename(partial, archive)
    except BaseException:
        remove_partial(partial)
        raise
    finally:
        os.close(fd)
    sync_directory(os.path.dirname(archive))


def remove_partial(partial: str) -> None:
    """Remove the partial file of an interrupted export, if any."""
    try:
        os.unlink(partial)
    except FileNotFoundError:
        return


def _compressor(archive: str) -> list[tuple[str, str]]:
    """Return the program and its options for the suffix; empty for a plain .tar."""
    return [value for suffixes, value in _COMPRESSORS.items() if archive.endswith(suffixes)]
