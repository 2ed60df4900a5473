# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_copy: one file into a container or out of it, whether that runs or not."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from .._container.open_root import open_root
from .._container.users import resolve_user
from .._errors import Conflict, EffectFailed, InvalidInput, NotFound
from .._linux import transfer
from .._linux.locks import Lock
from .._model.ids import IdRange
from .._model.layout import ContainerPaths
from .._model.mounts import parse_path
from .._model.names import parse_name
from .._plan.action import Action, Plan
from .._plan.copy import SHOWN, FileView, content_diff, plan_copy
from .._store import containers as store
from .._store.ids import read_ids
from .._store.settings import Settings
from .locking import container_lock

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Observed:
    """The file as it shall be, and as it is."""

    wanted: FileView
    found: FileView


@dataclass(frozen=True)
class _Place:
    """A directory that is open, the name in it, and whose ids rule there."""

    directory_fd: int
    name: str
    ids: IdRange | None


class CopyCase:
    """The module's parameters, parsed; see UseCase in perform.py."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.name = parse_name(params["container"], "container")
        self.paths = ContainerPaths.of(settings.container_dir, self.name)
        self.into = params["direction"] == "in"
        self.content = params["content"]
        self.src = parse_path(params["src"], "src") if params["src"] is not None else ""
        if self.content is None and not self.src:
            raise InvalidInput("nothing to copy", "give src, or content" if self.into else "give src")
        if self.content is not None and (self.src or not self.into):
            raise InvalidInput("content is instead of src, and for direction=in only")
        self.dest = _parse_dest(params["dest"], self.src)
        self.mode = _parse_mode(params["mode"])
        self.owner, self.group = params["owner"], params["group"]
        inside = f"{self.name}:{self.dest if self.into else self.src}"
        self.source = (self.src or "content") if self.into else inside
        self.target = inside if self.into else self.dest
        self._copied: FileView | None = None
        self._diff: list[dict] = []
        self._wanted = FileView("file")

    def locks(self) -> Iterable[Lock]:
        # Nobody starts, stops or removes it meanwhile.
        return (container_lock(self.name),)

    def observe(self) -> Observed:
        with self._opened(writable=False) as (root_fd, place):
            if self._copied is not None:
                # The source may have changed since: what counts is what was read of it.
                return Observed(self._copied, _find(place, self._copied.size))
            with self._source(root_fd) as source_fd:
                size = transfer.size_of(source_fd)
                room = transfer.free_bytes(place.directory_fd)
                # Also a bound on what is read: a sparse file inside has any size that somebody likes.
                if room is not None and size > room:
                    raise Conflict(
                        f"{self.source} has {size} bytes, and there is room for {room} where {self.target} is to be"
                    )
                wanted, found = _view(source_fd, size), _find(place, size)
                if found.digest:
                    wanted = replace(wanted, digest=transfer.digest(source_fd, size))
                return Observed(self._with_attributes(wanted, found, root_fd, source_fd), found)

    def plan(self, observed: Observed) -> Plan:
        planned = plan_copy(self.source, self.target, observed.wanted, observed.found)
        if planned.actions and self._copied is None:
            content = content_diff(self.source, self.target, observed.wanted, observed.found)
            attributes = {"before": planned.before, "after": planned.after}
            self._diff = [diff for diff in (content, attributes if planned.after else None) if diff]
            self._wanted = observed.wanted
        return planned

    def apply(self, action: Action) -> None:
        wanted = self._wanted
        with self._opened(writable=True) as (root_fd, place), self._source(root_fd) as source_fd:
            base = place.ids.base if place.ids else 0
            attributes = transfer.Attributes(wanted.mode, base + wanted.owner, base + wanted.group)
            size = transfer.size_of(source_fd)
            try:
                copied = transfer.replace(
                    place.directory_fd, place.name, source_fd, size, attributes, base, f"copy/{self.name}"
                )
            except OSError as error:
                hint = "what was there is as it was" if error.errno in _NO_ROOM else ""
                raise EffectFailed(f"{self.target} cannot be written ({error.strerror})", hint) from error
        self._copied = replace(wanted, digest=copied[0], size=copied[1])

    def settle(self) -> None:
        """Nothing takes time here."""

    def result(self, observed: Observed) -> dict:
        wanted = observed.wanted
        return {
            "container": self.name,
            "src": self.src or None,
            # Not "dest", which AnsibleModule takes for a path of the host, whose owner and mode it would add.
            "target": self.dest,
            "size": wanted.size,
            "checksum": wanted.digest or None,
            "mode": f"{wanted.mode:04o}",
            "uid": wanted.owner,
            "gid": wanted.group,
            "diff": self._diff,
        }

    @contextlib.contextmanager
    def _opened(self, writable: bool) -> Iterator[tuple[int, _Place]]:
        """The container's root, and the place of the target, for the block."""
        spec = store.read_spec(self.paths)
        if spec is None:
            raise NotFound(f"there is no container {self.name!r}", "create it with conductor_container")
        directory, name = os.path.split(self.dest)
        with contextlib.ExitStack() as stack:
            root_fd = stack.enter_context(open_root(self.settings, self.paths, spec, writable and self.into))
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            where = f"directory {directory} of dest" + (f" in container {self.name}" if self.into else "")
            with _told(where):
                opened = transfer.open_inside(root_fd, directory, flags) if self.into else os.open(directory, flags)
            stack.callback(os.close, opened)
            yield root_fd, _Place(opened, name, read_ids(self.paths) if self.into else None)

    @contextlib.contextmanager
    def _source(self, root_fd: int) -> Iterator[int]:
        """A descriptor of the source for the block, to read it. Raises NotFound, InvalidInput, EffectFailed."""
        fd = self._open_source(root_fd)
        try:
            yield fd
        finally:
            os.close(fd)

    def _open_source(self, root_fd: int) -> int:
        if self.content is not None:
            fd = os.memfd_create("content")
            with open(fd, "wb", closefd=False) as file:
                file.write(self.content.encode("utf-8", errors="surrogateescape"))
            return fd
        where = f"src {self.src}" + ("" if self.into else f" in container {self.name}")
        with _told(where):
            path_fd = (
                os.open(self.src, os.O_PATH | os.O_CLOEXEC)
                if self.into
                else transfer.open_inside(root_fd, self.src, os.O_PATH)
            )
        try:
            kind = transfer.kind_of(path_fd)
            if kind != "file":
                raise InvalidInput(f"{where} is a {kind}", "only files are copied, one at a time")
            with _told(where):
                return transfer.reopen(path_fd)
        finally:
            os.close(path_fd)

    def _with_attributes(self, wanted: FileView, found: FileView, root_fd: int, source_fd: int) -> FileView:
        if not self.into:
            # Never of the file inside: who is root there would choose who may read it here, or make it setuid.
            there = found if found.kind == "file" else FileView("file", mode=0o600)
            mode = self.mode if self.mode is not None else there.mode & 0o777
            owner = there.owner if self.owner is None else _host_id(self.owner, "owner")
            group = there.group if self.group is None else _host_id(self.group, "group")
            return replace(wanted, mode=mode, owner=owner, group=group)
        mode = self.mode
        if mode is None:
            mode = 0o644 if self.content is not None else os.fstat(source_fd).st_mode & 0o777
        user = resolve_user(f"{self.owner or 0}:{self.group or 0}", [f"/proc/self/fd/{root_fd}"])
        ids = read_ids(self.paths)
        for option, number in (("owner", user.uid), ("group", user.gid)):
            if ids is not None and number >= ids.size:
                raise InvalidInput(f"{option} {number} is beyond the container's ids, which end at {ids.size - 1}")
        return replace(wanted, mode=mode, owner=user.uid, group=user.gid)


def _view(fd: int, size: int) -> FileView:
    return FileView("file", size, text=os.pread(fd, size, 0) if size <= SHOWN else None)


def _find(place: _Place, size: int) -> FileView:
    """What is at the target; its digest only where its size is that of the source."""
    with transfer.entry(place.directory_fd, place.name) as (kind, path_fd):
        if kind != "file":
            return FileView(kind)
        fd = transfer.reopen(path_fd)
    try:
        status = os.fstat(fd)
        view = _view(fd, status.st_size)
        if status.st_size == size:
            view = replace(view, digest=transfer.digest(fd, size))
    finally:
        os.close(fd)
    owner, group = (_inside(number, place.ids) for number in (status.st_uid, status.st_gid))
    return replace(view, mode=status.st_mode & 0o7777, owner=owner, group=group)


def _inside(number: int, ids: IdRange | None) -> int:
    if ids is None:
        return number
    return number - ids.base if ids.base <= number < ids.end else -1


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """Raises errors of opening in the words of the options."""
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"{where} does not exist") from None
    except OSError as error:
        if error.errno == errno.ENOTDIR:
            raise InvalidInput(f"{where} is, or leads through, something that is no directory") from None
        if error.errno == errno.ELOOP:
            raise InvalidInput(f"{where} leads through a link of /proc, or a loop of links") from None
        raise EffectFailed(f"{where} cannot be opened ({error.strerror})") from error


def _parse_dest(value: str, src: str) -> str:
    path = parse_path(value, "dest")
    if not value.endswith("/"):
        return path
    if not src:
        raise InvalidInput(f"dest {value!r} is a directory, and content has no name", "give dest the file's name, too")
    return os.path.join(path, os.path.basename(src))


def _parse_mode(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"(0o?)?[0-7]{1,4}", value):
        return int(value.replace("o", ""), 8)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o7777:
        return value
    raise InvalidInput(f"mode {value!r} is not an octal number", 'write it in quotes, as "0644"')


def _host_id(text: str, option: str) -> int:
    if re.fullmatch("[0-9]{1,10}", text) and int(text) < (1 << 32) - 1:
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid if option == "owner" else grp.getgrnam(text).gr_gid
    except KeyError:
        raise InvalidInput(f"there is no {option} {text!r} on the host", "create it, or give its number") from None
