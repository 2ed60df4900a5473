# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sides of a copy, each by a descriptor: what is copied, and the place where it is to be."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..._engine.id_range import IdRange
from ..._errors import EffectFailed, InvalidInput, NotFound
from ..._kernel.files import copy_source
from ..._kernel.files.copy_target import Attributes, Spot
from ..._kernel.files.within_root import KernelFile, kernel_file_system, reopen
from .plan import SHOWN, FileView, below

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# Whoever makes them in a container fills our memory with them otherwise.
_MOST = 1 << 18


@dataclass(frozen=True)
class Source:
    """A file, or a directory with all below it. `fd`: O_PATH; `shown`, and `inside` which container, are for errors."""

    fd: int
    shown: str
    inside: str

    def views(self) -> dict[str, FileView]:
        """Each file, directory and link by its path below the source, "" for itself, each after the directory that it
        is in. Modes are theirs, without setuid and the like; owners and content are not looked at.

        Raises InvalidInput for anything else, and where they are too many.
        """
        views: dict[str, FileView] = {}
        waiting = [""]
        while waiting:
            path = waiting.pop()
            with copy_source.entry(self.fd, path) as (kind, path_fd):
                # One that has gone since its directory was read is none of it.
                if kind != "missing":
                    with told(self._where(path)):
                        self._refuse_kernel_files(path, path_fd)
                        views[path] = self._view(path, path_fd)
                        if views[path].kind == "directory":
                            names = copy_source.names_in(path_fd, _MOST)
                            waiting += [os.path.join(path, name) for name in reversed(names)]
            if len(views) + len(waiting) > _MOST:
                raise InvalidInput(f"{self._where('')} has {_MOST} files or more", "make an archive, and copy that")
        return views

    def _view(self, path: str, path_fd: int) -> FileView:
        kind, mode = copy_source.kind_of(path_fd), os.fstat(path_fd).st_mode & 0o777
        if kind == "directory":
            return FileView(kind, mode=mode)
        if kind == "link":
            return FileView(kind, to=copy_source.read_link(path_fd))
        if kind != "file":
            raise InvalidInput(f"{self._where(path)} is a {kind}", "only files, directories and links are copied")
        fd = reopen(path_fd)
        try:
            return FileView(kind, copy_source.size_of(fd), mode=mode)
        finally:
            os.close(fd)

    def _refuse_kernel_files(self, path: str, fd: int) -> None:
        """Raises KernelFile for what the host's root would read there with more rights than those inside have."""
        kind = kernel_file_system(fd) if self.inside else None
        if kind:
            raise KernelFile(kind, path)

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[int]:
        """A descriptor for the block to read the file at `path`. Raises NotFound, InvalidInput, EffectFailed."""
        with told(self._where(path)):
            path_fd = copy_source.open_below(self.fd, path, os.O_PATH | os.O_NOFOLLOW)
            try:
                if copy_source.kind_of(path_fd) != "file":
                    raise InvalidInput(f"{self._where(path)} is no file any more", "run this again")
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
        """Content of a file of `size` bytes, None where that is too much to be shown."""
        if size > SHOWN:
            return None
        with self.opened(path) as fd:
            return os.pread(fd, size, 0)

    def _where(self, path: str) -> str:
        return f"src {below(self.shown, path)}{self.inside}"


@dataclass(frozen=True)
class Place:
    """Where a copy goes: a directory that is open, the copy's name in it ("" for the directory itself), and whose ids
    rule there. `path` is the copy's, `shown` the same for people.
    """

    directory_fd: int
    name: str
    ids: IdRange | None
    path: str
    shown: str

    def look(self, path: str, size: int) -> FileView:
        """What is at `path` below the copy; its digest only where its size is `size`."""
        with copy_source.entry(self.directory_fd, self._path(path)) as (kind, path_fd):
            if kind not in ("file", "directory", "link"):
                return FileView(kind)
            kernel = kernel_file_system(path_fd)
            if kernel:
                return FileView(f"{kind} of {kernel}")
            status = os.fstat(path_fd)
            owner, group = self._inside(status.st_uid), self._inside(status.st_gid)
            view = FileView(kind, mode=status.st_mode & 0o7777, owner=owner, group=group)
            if kind == "link":
                return replace(view, to=copy_source.read_link(path_fd))
            if kind == "directory":
                return view
            digest = ""
            if status.st_size == size:
                # What those inside hold a lease on is not waited for: it is replaced, as a file that differs.
                with contextlib.suppress(BlockingIOError):
                    digest = _digest(path_fd, size)
            return replace(view, size=status.st_size, digest=digest)

    def text(self, path: str, size: int) -> bytes | None:
        """Content of the file at `path`, of `size` bytes; None where that is too much to be shown, or is no file."""
        with copy_source.entry(self.directory_fd, self._path(path)) as (kind, path_fd):
            if kind != "file" or size > SHOWN or kernel_file_system(path_fd):
                return None
            try:
                fd = reopen(path_fd)
            except BlockingIOError:
                return None
        try:
            return os.pread(fd, size, 0)
        finally:
            os.close(fd)

    def put(self, path: str, wanted: FileView, source: Source, purpose: str) -> FileView:
        """Make what is `wanted` at `path`, by `source`: as it has been made. Raises EffectFailed.

        `purpose` names temporary files; see Spot.
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
            spot = Spot(directory_fd, name, base, purpose)
            if wanted.kind == "directory":
                spot.put_directory(attributes)
                return wanted
            if wanted.kind == "link":
                spot.put_link(wanted.to, attributes)
                return wanted
            source_fd = stack.enter_context(source.opened(path))
            digest, size = spot.put_file(source_fd, copy_source.size_of(source_fd), attributes)
            return replace(wanted, digest=digest, size=size)

    @contextlib.contextmanager
    def _writing(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = "what was there is as it was" if error.errno in _NO_ROOM else ""
            raise EffectFailed(f"{below(self.shown, path)} cannot be written ({error.strerror})", hint) from error

    def _path(self, path: str) -> str:
        return os.path.join(self.name, path) if path else self.name

    def _inside(self, number: int) -> int:
        if self.ids is None:
            return number
        return number - self.ids.base if self.ids.base <= number < self.ids.end else -1


@contextlib.contextmanager
def told(where: str) -> Iterator[None]:
    """Raises errors of opening in the words of the options."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"{where} does not exist") from None
    except KernelFile as error:
        raise InvalidInput(f"{where} is not copied: {error.strerror}", "use conductor_exec for it") from None
    except OSError as error:
        if error.errno == errno.ENOTDIR:
            raise InvalidInput(f"{where} is, or leads through, something that is no directory") from None
        if error.errno == errno.ELOOP:
            raise InvalidInput(
                f"{where} leads through a link of /proc, a loop of links, or one that has come just now"
            ) from None
        raise EffectFailed(f"{where} cannot be opened ({error.strerror})") from error


def _digest(path_fd: int, size: int) -> str:
    fd = reopen(path_fd)
    try:
        return copy_source.digest(fd, size)
    finally:
        os.close(fd)
