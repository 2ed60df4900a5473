# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Source and destination of a copy, each held open by a descriptor."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..._engine.id_range import IdRange
from ..._errors import Conflict, EffectFailed, InvalidInput, NotFound
from ..._kernel.files import copy_source
from ..._kernel.files.copy_target import Attributes, TargetEntry
from ..._kernel.files.within_root import KernelFile, kernel_file_system, reopen
from .plan import MAX_DIFF_SIZE, FileView, printable_path

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# Limit of files, so that a container cannot exhaust the host's memory with them.
MAX_FILES = 1 << 18


@dataclass(frozen=True)
class Source:
    """A file or directory tree, by the O_PATH descriptor `fd`.

    For errors: `shown` is its path, `inside` names the container that it is in, "" for the host.
    """

    fd: int
    shown: str
    container_suffix: str

    def views(self) -> dict[str, FileView]:
        """Each file, directory and symlink by its path below the source ("" for the source), each after its directory.

        Modes are without setuid, setgid and sticky bits; owners and content are not read. Raises InvalidInput for
        special files, and for 262144 files or more.
        """
        views: dict[str, FileView] = {}
        waiting = [""]
        while waiting:
            path = waiting.pop()
            with copy_source.open_entry(self.fd, path) as (kind, path_fd):
                # Skips a file that was deleted since its directory was read.
                if kind != "missing":
                    with open_errors(self._where(path)):
                        self._refuse_kernel_files(path, path_fd)
                        views[path] = self._view(path, path_fd)
                        if views[path].kind == "directory":
                            names = copy_source.list_directory(path_fd, MAX_FILES)
                            waiting += [os.path.join(path, name) for name in reversed(names)]
            if len(views) + len(waiting) > MAX_FILES:
                raise InvalidInput(
                    f"{self._where('')} has {MAX_FILES} files or more", "create an archive and copy that"
                )
        return views

    def _view(self, path: str, path_fd: int) -> FileView:
        kind, mode = copy_source.file_type(path_fd), os.fstat(path_fd).st_mode & 0o777
        if kind == "directory":
            return FileView(kind, mode=mode)
        if kind == "link":
            return FileView(kind, link_target=copy_source.read_link(path_fd))
        if kind != "file":
            raise InvalidInput(
                f"{self._where(path)} is a {kind}, and only files, directories and symlinks are copied", "leave it out"
            )
        fd = reopen(path_fd)
        try:
            return FileView(kind, copy_source.size_of(fd), mode=mode)
        finally:
            os.close(fd)

    def _refuse_kernel_files(self, path: str, fd: int) -> None:
        """Raises KernelFile for files of kernel file systems, which root on the host reads with more rights than root
        inside.
        """
        kind = kernel_file_system(fd) if self.container_suffix else None
        if kind:
            raise KernelFile(kind, path)

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[int]:
        """A descriptor to read the file at `path` during the block. Raises NotFound, InvalidInput, EffectFailed."""
        with open_errors(self._where(path)):
            path_fd = copy_source.open_below(self.fd, path, os.O_PATH | os.O_NOFOLLOW)
            try:
                if copy_source.file_type(path_fd) != "file":
                    raise InvalidInput(f"{self._where(path)} is no longer a file", "run this again")
                self._refuse_kernel_files(path, path_fd)
                fd = reopen(path_fd)
            finally:
                os.close(path_fd)
        try:
            yield fd
        finally:
            os.close(fd)

    def digest(self, path: str, size: int) -> str:
        """SHA-256 of the first `size` bytes of a file."""
        with self.opened(path) as fd:
            return copy_source.digest(fd, size)

    def text(self, path: str, size: int) -> bytes | None:
        """Content of a file of `size` bytes, None if it is too large to show."""
        if size > MAX_DIFF_SIZE:
            return None
        with self.opened(path) as fd:
            return os.pread(fd, size, 0)

    def _where(self, path: str) -> str:
        return f"src {printable_path(self.shown, path)}{self.container_suffix}"


@dataclass(frozen=True)
class Destination:
    """Destination of a copy: an open directory, the name of the copy in it ("" for the directory itself), and the ids
    of the container (None on the host). `path` is the path of the copy, `shown` the same for messages.
    """

    directory_fd: int
    name: str
    ids: IdRange | None
    path: str
    shown: str

    def observe(self, path: str, size: int) -> FileView:
        """The present file at `path` below the copy, with its digest only if its size is `size`."""
        with copy_source.open_entry(self.directory_fd, self._path(path)) as (kind, path_fd):
            if kind not in ("file", "directory", "link"):
                return FileView(kind)
            kernel = kernel_file_system(path_fd)
            if kernel:
                return FileView(f"{kind} of {kernel}")
            status = os.fstat(path_fd)
            owner, group = self._inside(status.st_uid), self._inside(status.st_gid)
            view = FileView(kind, mode=status.st_mode & 0o7777, owner=owner, group=group)
            if kind == "link":
                return replace(view, link_target=copy_source.read_link(path_fd))
            if kind == "directory":
                return view
            digest = ""
            if status.st_size == size:
                # A file with a lease of a process inside is not waited for, and replaced like a file that differs.
                with contextlib.suppress(BlockingIOError):
                    digest = _digest(path_fd, size)
            return replace(view, size=status.st_size, digest=digest)

    def text(self, path: str, size: int) -> bytes | None:
        """Content of the file at `path`, of `size` bytes; None if it is too large to show, or not a file."""
        with copy_source.open_entry(self.directory_fd, self._path(path)) as (kind, path_fd):
            if kind != "file" or size > MAX_DIFF_SIZE or kernel_file_system(path_fd):
                return None
            try:
                fd = reopen(path_fd)
            except BlockingIOError:
                return None
        try:
            return os.pread(fd, size, 0)
        finally:
            os.close(fd)

    def free_bytes(self, directories: Iterable[str]) -> int | None:
        """Free bytes for the whole copy, which has these directories already.

        None if unknown, or if one of them is on another file system: `write` checks each file where it goes.
        """
        device = os.fstat(self.directory_fd).st_dev
        for path in directories:
            with copy_source.open_entry(self.directory_fd, self._path(path)) as (kind, path_fd):
                if kind == "directory" and os.fstat(path_fd).st_dev != device:
                    return None
        return copy_source.free_bytes(self.directory_fd)

    def write(self, path: str, wanted: FileView, source: Source, purpose: str) -> FileView:
        """Write `wanted` at `path` with the content of `source`; return it with size and digest as written.

        `purpose` names temporary files; see TargetEntry. Raises EffectFailed, Conflict if there is no space for it.
        """
        base = self.ids.base if self.ids else 0
        attributes = Attributes(wanted.mode, base + wanted.owner, base + wanted.group)
        directory, name = os.path.split(self._path(path))
        with self._writing(path), contextlib.ExitStack() as stack:
            directory_fd = copy_source.open_below(self.directory_fd, directory, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, directory_fd)
            kind = kernel_file_system(directory_fd)
            if kind:
                raise KernelFile(kind, path)
            spot = TargetEntry(directory_fd, name, base, purpose)
            if wanted.kind == "directory":
                spot.put_directory(attributes)
                return wanted
            if wanted.kind == "link":
                spot.put_link(wanted.link_target, attributes)
                return wanted
            source_fd = stack.enter_context(source.opened(path))
            size = copy_source.size_of(source_fd)
            # Once more, since a process inside can make the file grow after the plan, at no cost by a hole.
            room = copy_source.free_bytes(directory_fd)
            if room is not None and size > room:
                shown = printable_path(self.shown, path)
                raise Conflict(f"{shown}: needs {size} bytes, and {room} are free", "free space there")
            digest, size = spot.put_file(source_fd, size, attributes)
            return replace(wanted, digest=digest, size=size)

    @contextlib.contextmanager
    def _writing(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = "free space there; the previous file is unchanged" if error.errno in _NO_ROOM else ""
            raise EffectFailed(
                f"{printable_path(self.shown, path)} cannot be written ({error.strerror})", hint
            ) from error

    def _path(self, path: str) -> str:
        return os.path.join(self.name, path) if path else self.name

    def _inside(self, number: int) -> int:
        if self.ids is None:
            return number
        return number - self.ids.base if self.ids.base <= number < self.ids.end else -1


@contextlib.contextmanager
def open_errors(where: str) -> Iterator[None]:
    """Turn errors of opening a file into errors of an option; `where` names the option and the path."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"{where} does not exist") from None
    except KernelFile as error:
        raise InvalidInput(
            f"{where} is not copied: {error.strerror}", "use conductor_exec to read or write it"
        ) from None
    except OSError as error:
        if error.errno == errno.ENOTDIR:
            raise InvalidInput(f"{where}: it, or a part of its path, is not a directory", "correct the path") from None
        if error.errno == errno.ELOOP:
            raise InvalidInput(
                f"{where} leads through a symlink of /proc, a loop of symlinks, or a symlink that was just created",
                "choose a path without it",
            ) from None
        raise EffectFailed(f"{where} cannot be opened ({error.strerror})") from error


def _digest(path_fd: int, size: int) -> str:
    fd = reopen(path_fd)
    try:
        return copy_source.digest(fd, size)
    finally:
        os.close(fd)
