# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access files below a root directory that an untrusted user controls.

No symlink or mount below it leads out of the root, no file blocks the caller, and every read has a limit.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping

from ..syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, fstatfs_type, openat2
from .atomic_write import mount_id

_RULES = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
# Bytes. Written files are shorter, so a file of this size or more differs from them and is not read to its end.
_LIMIT = 1 << 20
# Attempts to open a file whose directories are renamed meanwhile.
_TRIES = 100
# File systems whose content depends on the reading process (include/uapi/linux/magic.h).
_OF_THE_KERNEL = {
    0x9FA0: "proc", 0x62656572: "sysfs", 0x27E0EB: "cgroup", 0x63677270: "cgroup2", 0x64626720: "debugfs",
    0x74726163: "tracefs", 0x73636673: "securityfs", 0x62656570: "configfs", 0x6165676C: "pstore",
    0xDE5E81E4: "efivarfs", 0xCAFE4A11: "bpf", 0x42494E4D: "binfmt_misc", 0xF97CFF8C: "selinuxfs", 0x6E736673: "nsfs",
}  # fmt: skip


class KernelFile(OSError):
    """A path leads into proc, sysfs or a similar file system, which shows the host's root more than a container."""

    def __init__(self, kind: str, path: str) -> None:
        super().__init__(
            errno.EXDEV, f"it is a file of {kind}, which shows the host's root more than the container may see", path
        )


def open_inside(root_fd: int, path: str, flags: int = os.O_PATH, kernel_files: bool = False) -> int:
    """Open `path` as a process with the root `root_fd` resolves it: no symlink leads out of that root.

    It never blocks: it opens with O_NONBLOCK, which a write lease requires, too (fcntl(2)), and with O_NOCTTY. A file
    that is neither a regular file nor a directory can only be opened with O_PATH. Needs no /proc, so that it also works
    inside a container. Raises OSError, and KernelFile unless `kernel_files` is true.
    """
    fd = _resolve(root_fd, path, os.O_PATH | flags & (os.O_DIRECTORY | os.O_NOFOLLOW))
    _check(fd, path, flags, kernel_files)
    if flags & os.O_PATH:
        return fd
    os.close(fd)
    # Another file may have replaced the one that was checked before opening could have effects.
    fd = _resolve(root_fd, path, flags | os.O_NONBLOCK | os.O_NOCTTY)
    _check(fd, path, flags, kernel_files)
    return fd


def _check(fd: int, path: str, flags: int, kernel_files: bool) -> None:
    """Close `fd` and raise OSError if it is a file that open_inside() does not open."""
    try:
        kind = None if kernel_files else kernel_file_system(fd)
        if kind:
            raise KernelFile(kind, path)
        if not flags & os.O_PATH:
            _require_file_or_directory(fd)
    except OSError:
        os.close(fd)
        raise


def _resolve(root_fd: int, path: str, flags: int) -> int:
    for _ in range(_TRIES):
        try:
            return openat2(root_fd, path or ".", flags, _RULES)
        except OSError as error:
            # A rename while ".." was resolved: the kernel cannot check the path and asks for a retry (openat2(2)).
            if error.errno != errno.EAGAIN:
                raise
    reason = (
        "a process inside holds a lease on it" if not flags & os.O_PATH else "its directories are renamed all the time"
    )
    raise BlockingIOError(errno.EAGAIN, reason, path)


def _require_file_or_directory(path_fd: int) -> None:
    mode = os.fstat(path_fd).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise OSError(errno.EINVAL, "it is neither a file nor a directory")


def reopen(path_fd: int) -> int:
    """Open the file or directory `path_fd` (O_PATH) for reading, independent of its current path.

    Raises OSError for any other file type: opening a FIFO blocks, and opening a device may have effects.
    Raises BlockingIOError if a process holds a lease on the file.
    """
    _require_file_or_directory(path_fd)
    return os.open(f"/proc/self/fd/{path_fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def kernel_file_system(fd: int) -> str | None:
    """Return the name of the kernel's own file system that a descriptor is open on; None for any other."""
    return _OF_THE_KERNEL.get(fstatfs_type(fd))


def read_inside(root_fd: int, path: str, limit: int) -> bytes | None:
    """Return the first `limit` bytes of the file at `path`; None if it does not exist or cannot be read now."""
    try:
        fd = open_inside(root_fd, path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(fd, limit)
    except OSError:
        # A directory.
        return None
    finally:
        os.close(fd)


def write_files(root_fd: int, files: Mapping[str, bytes], mode: int = 0o644) -> list[str]:
    """Write each file of `files` (absolute path as seen from the root: content); return the paths that were written.

    `root_fd` is a descriptor of the root directory. Symlinks in the path are resolved inside the root (openat2(2),
    RESOLVE_IN_ROOT); a symlink at the target is replaced, not followed. A file that already has the content is left
    unchanged, and so is a mount point, because a user requested that mount. New files and directories get owner and
    group of the root directory.
    """
    written = []
    root = os.fstat(root_fd)
    owner = (root.st_uid, root.st_gid)
    for path, content in files.items():
        directory, name = os.path.split(path)
        directory_fd = _open_directory(root_fd, directory, owner)
        try:
            mounted, present = _look(directory_fd, name)
            if not mounted and present != content:
                _replace(directory_fd, name, content, mode, owner)
                written.append(path)
        finally:
            os.close(directory_fd)
    return written


def write_link(root_fd: int, path: str, to: str) -> None:
    """Make `path` a symlink to `to`, as `write_files` writes a file. A mount point and the same link stay."""
    root = os.fstat(root_fd)
    owner = (root.st_uid, root.st_gid)
    directory, name = os.path.split(path)
    directory_fd = _open_directory(root_fd, directory, owner)
    try:
        with contextlib.suppress(OSError):
            if os.readlink(name, dir_fd=directory_fd) == to:
                return
        if _look(directory_fd, name)[0]:
            return
        temporary = f".{name}.{os.urandom(4).hex()}.tmp"
        os.symlink(to, temporary, dir_fd=directory_fd)
        try:
            os.chown(temporary, *owner, dir_fd=directory_fd, follow_symlinks=False)
            os.rename(temporary, name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
        except BaseException:
            os.unlink(temporary, dir_fd=directory_fd)
            raise
    finally:
        os.close(directory_fd)


def try_write_files(root_fd: int, files: Mapping[str, bytes]) -> dict[str, str]:
    """Call `write_files` for each file; return the paths that could not be written, each with the reason."""
    problems = {}
    for path, content in files.items():
        try:
            write_files(root_fd, {path: content})
        except OSError as error:
            problems[path] = error.strerror or str(error)
    return problems


def read_files(root_fd: int, paths: Iterable[str], problems: dict[str, str] | None = None) -> dict[str, bytes | None]:
    """Return the content of each of `paths` as `write_files` would compare it.

    The content is None for a missing file and for any file type that `write_files` would replace. Mount points are
    omitted. Paths that it could not write are omitted, too, and are added to `problems`, each with the reason.
    """
    found: dict[str, bytes | None] = {}
    for path in paths:
        directory, name = os.path.split(path)
        try:
            directory_fd = open_inside(root_fd, directory, os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            found[path] = None
            continue
        except OSError as error:
            if problems is not None:
                problems[path] = f"{directory}: {error.strerror}"
            continue
        try:
            mounted, content = _look(directory_fd, name)
            if not mounted:
                found[path] = content
        except OSError as error:
            if problems is not None:
                problems[path] = error.strerror or str(error)
        finally:
            os.close(directory_fd)
    return found


@contextlib.contextmanager
def directory_inside(root_fd: int, path: str) -> Iterator[int | None]:
    """Open the directory `path` for the block; yield its descriptor, or None if it does not exist.

    Entries can safely be read and removed through it (`dir_fd`), whatever symlinks the path contains.
    """
    fd = _open_existing(root_fd, path, os.O_RDONLY | os.O_DIRECTORY)
    if fd is None:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def exists_inside(root_fd: int, path: str) -> bool:
    """Return whether `path` exists for a process with that root."""
    fd = _open_existing(root_fd, path, os.O_PATH)
    if fd is not None:
        os.close(fd)
    return fd is not None


def _open_existing(root_fd: int, path: str, flags: int) -> int | None:
    try:
        return open_inside(root_fd, path, flags)
    except OSError as error:
        # A symlink to an absolute path that is meant for another root may be a loop in this one.
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise


def _open_directory(root_fd: int, path: str, owner: tuple[int, int]) -> int:
    """Open the directory `path` inside the root; create it (0755) and its parents if they are missing."""
    try:
        return open_inside(root_fd, path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        parent, name = os.path.split(path)
    parent_fd = _open_directory(root_fd, parent, owner)
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=parent_fd)
            os.chown(name, *owner, dir_fd=parent_fd, follow_symlinks=False)
    finally:
        os.close(parent_fd)
    return open_inside(root_fd, path, os.O_RDONLY | os.O_DIRECTORY)


def _look(directory_fd: int, name: str) -> tuple[bool, bytes | None]:
    """Return whether the entry is a mount point, and its content if it is a regular file that can be read now.

    Raises IsADirectoryError, because a file cannot replace a directory.
    """
    try:
        path_fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory_fd)
    except FileNotFoundError:
        return False, None
    try:
        found = os.fstat(path_fd)
        if mount_id(path_fd) != mount_id(directory_fd):
            return True, None
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is a directory", name)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LIMIT:
            return False, None
        try:
            fd = reopen(path_fd)
        except BlockingIOError:
            # A lease blocks the open, but not the rename that replaces the file.
            return False, None
        try:
            return False, os.read(fd, _LIMIT)
        finally:
            os.close(fd)
    finally:
        os.close(path_fd)


def _replace(directory_fd: int, name: str, content: bytes, mode: int, owner: tuple[int, int]) -> None:
    temporary = f".{name}.{os.urandom(4).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(temporary, flags, mode, dir_fd=directory_fd)
    try:
        try:
            os.fchown(fd, *owner)
            os.fchmod(fd, mode)
            view = memoryview(content)
            while view:
                view = view[os.write(fd, view) :]
        finally:
            os.close(fd)
        os.rename(temporary, name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    except BaseException:
        os.unlink(temporary, dir_fd=directory_fd)
        raise
