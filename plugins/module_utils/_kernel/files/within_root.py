# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files below a root directory that somebody else rules: no link or mount in there leads us out of it, none makes us
wait, and no more is read than there is a bound for.
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
# Ours are shorter: a file of this size or more differs from them, and is not read to its end.
_LIMIT = 1 << 20
# How often to look again for what is renamed or replaced meanwhile.
_TRIES = 100
# File systems whose files are the kernel's answers to the process that asks (include/uapi/linux/magic.h).
_OF_THE_KERNEL = {
    0x9FA0: "proc", 0x62656572: "sysfs", 0x27E0EB: "cgroup", 0x63677270: "cgroup2", 0x64626720: "debugfs",
    0x74726163: "tracefs", 0x73636673: "securityfs", 0x62656570: "configfs", 0x6165676C: "pstore",
    0xDE5E81E4: "efivarfs", 0xCAFE4A11: "bpf", 0x42494E4D: "binfmt_misc", 0xF97CFF8C: "selinuxfs", 0x6E736673: "nsfs",
}  # fmt: skip


class KernelFile(OSError):
    """A path leads to a file of proc, sysfs or the like, where the host's root may see what nobody inside may."""

    def __init__(self, kind: str, path: str) -> None:
        super().__init__(
            errno.EXDEV, f"it is a file of {kind}, which shows the host's root more than those inside", path
        )


def open_inside(root_fd: int, path: str, flags: int = os.O_PATH, kernel_files: bool = False) -> int:
    """Open `path` as a process with the root `root_fd` would find it: no link leads further than that root.

    It waits for nobody: it is opened non-blocking, which a write lease needs, too (fcntl(2)), and never as a terminal
    of ours. What is neither file nor directory can be opened with O_PATH only. Needs no /proc, so that it also works
    inside. Raises OSError; KernelFile unless `kernel_files` are wanted.
    """
    for _ in range(_TRIES):
        path_fd = _resolve(root_fd, path, os.O_PATH | flags & (os.O_DIRECTORY | os.O_NOFOLLOW))
        try:
            kind = None if kernel_files else kernel_file_system(path_fd)
            if kind:
                raise KernelFile(kind, path)
            if flags & os.O_PATH:
                return os.dup(path_fd)
            _require_file_or_directory(path_fd)
            fd = _resolve(root_fd, path, flags | os.O_NONBLOCK | os.O_NOCTTY)
            if os.path.samestat(os.fstat(fd), os.fstat(path_fd)):
                return fd
            # Something else has come into its place.
            os.close(fd)
        finally:
            os.close(path_fd)
    raise OSError(errno.EAGAIN, "it is another one each time", path)


def _resolve(root_fd: int, path: str, flags: int) -> int:
    for _ in range(_TRIES):
        try:
            return openat2(root_fd, path or ".", flags, _RULES)
        except OSError as error:
            # Something was renamed while a ".." was followed: the kernel cannot tell then, and says so (openat2(2)).
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
    """A descriptor to read the very file or directory that `path_fd` (O_PATH) is open on, whatever its path is now.

    Raises OSError for all else: opening a FIFO waits, opening a device may do something; BlockingIOError if
    a process holds a lease on the file.
    """
    _require_file_or_directory(path_fd)
    return os.open(f"/proc/self/fd/{path_fd}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def kernel_file_system(fd: int) -> str | None:
    """Which of the kernel's own file systems a descriptor is open on; None for one that holds files."""
    return _OF_THE_KERNEL.get(fstatfs_type(fd))


def read_inside(root_fd: int, path: str, limit: int) -> bytes | None:
    """The first `limit` bytes of the file at `path`; None if there is no such file, or no access to it now."""
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
    """Make each file of `files` (absolute path as seen from the root: content); the paths that were written.

    `root_fd` is a descriptor of the root directory. Links on the way are
    resolved inside the root (openat2(2), RESOLVE_IN_ROOT); a link at the target is replaced, not followed. A file that
    has the content already is left alone, and so is one that something is mounted on: the mount was somebody's wish.
    What is made belongs to whom the root directory belongs to, whatever ids rule in there.
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


def try_write_files(root_fd: int, files: Mapping[str, bytes]) -> dict[str, str]:
    """`write_files` as far as those inside let us: the paths that could not be written, each with the reason."""
    problems = {}
    for path, content in files.items():
        try:
            write_files(root_fd, {path: content})
        except OSError as error:
            problems[path] = error.strerror or str(error)
    return problems


def read_files(root_fd: int, paths: Iterable[str], problems: dict[str, str] | None = None) -> dict[str, bytes | None]:
    """Content of each of `paths` as `write_files` would compare it: None for a missing file and for all that it would
    replace; without those that something is mounted on, and without those that it could not write.

    The latter go to `problems`, each with the reason.
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
    """A descriptor of the directory `path` for the block; None where there is none.

    Entries are safe to look at and to remove through it (`dir_fd`), wherever links on the way point to.
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
    """Whether a process with that root would find something at `path`."""
    fd = _open_existing(root_fd, path, os.O_PATH)
    if fd is not None:
        os.close(fd)
    return fd is not None


def _open_existing(root_fd: int, path: str, flags: int) -> int | None:
    try:
        return open_inside(root_fd, path, flags)
    except OSError as error:
        # A link to an absolute path that is meant for another root may well be a loop in this one.
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise


def _open_directory(root_fd: int, path: str, owner: tuple[int, int]) -> int:
    """A descriptor of the directory `path` inside the root, made (0755) with its parents where it is missing."""
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
    """Whether something is mounted on the entry, and its content where it is a plain file that can be read now.

    Raises IsADirectoryError: a file cannot take the place of that.
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
            # It is replaced by a rename, which no lease hinders.
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
