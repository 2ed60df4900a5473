# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_copy: copy a file or directory tree into or out of a running or stopped container."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..._engine.action import Action, Plan
from ..._engine.engine import Run, UseCase
from ..._engine.locks import container_lock
from ..._engine.names import parse_name
from ..._engine.paths import ContainerPaths
from ..._engine.settings import Settings
from ..._errors import InvalidInput, NotFound, container_not_found, mark_pending
from ..._kernel.files import copy_source
from ..._kernel.files.within_root import open_inside
from ..._kernel.flock import Lock
from ..._kernel.path_text import to_bytes
from .. import store
from ..error_context import about_container
from ..id_ranges import read_ids
from ..open_root import open_root
from ..spec.mounts import parse_path
from ..users import resolve_user
from .plan import MAX_DIFF_SIZE, Copy, FileView, Pair, differences, plan_copy, same_content
from .sides import Destination, Source, open_errors


@dataclass(frozen=True)
class Observed:
    """Path of the copy, the same for messages, wanted and present files by path below it, and free bytes if known."""

    target: str
    shown: str
    pairs: dict[str, Pair]
    room: int | None


def _observed(place: Destination, pairs: dict[str, Pair]) -> Observed:
    directories = [path for path, pair in pairs.items() if pair.found.kind == "directory"]
    return Observed(place.path, place.shown, pairs, place.free_bytes(directories))


class CopyCase(UseCase[Observed]):
    """The module's parameters, parsed; see UseCase in _engine/engine.py."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.name = parse_name(params["container"], "container")
        self.paths = ContainerPaths.of(settings.container_dir, self.name)
        self.into = params["direction"] == "in"
        self.content = params["content"]
        self.src = parse_path(params["src"], "src") if params["src"] is not None else ""
        if self.content is None and not self.src:
            raise InvalidInput(f"{self.name}: nothing to copy", "set src or content" if self.into else "set src")
        if self.content is not None and self.src:
            raise InvalidInput(f"{self.name}: content and src are mutually exclusive", "leave out one of them")
        if self.content is not None and not self.into:
            raise InvalidInput(f"{self.name}: content requires direction=in", "set direction to in, or set src")
        # As in ansible.builtin.copy: a trailing / means the content of a directory, without the directory itself.
        self.contents = self.src != "" and params["src"].endswith("/")
        self.dest = parse_path(params["dest"], "dest")
        self.under_own_name = params["dest"].endswith("/")
        if self.under_own_name and not self.src:
            raise InvalidInput(
                f"dest {params['dest']!r} is a directory, and content has no file name", "add the file name to dest"
            )
        self.mode = _parse_mode(params["mode"], "mode")
        self.directory_mode = _parse_mode(params["directory_mode"], "directory_mode")
        self.owner, self.group = params["owner"], params["group"]
        self.source = (self.src or "content") if self.into else f"{self.name}:{self.src}"

    def locks(self) -> Iterable[Lock]:
        # The container cannot be started, stopped or removed meanwhile.
        return (container_lock(self.name),)

    def observe(self) -> Observed:
        with about_container(self.name), self._opened(writable=False) as (root_fd, source, place):
            return _observed(place, self._compare(source, place, *self._ids(root_fd)))

    def plan(self, observed: Observed) -> Plan:
        return plan_copy(self.source, observed.shown, observed.pairs, observed.room)

    def apply(self, action: Action, run: Run[Observed]) -> None:
        # plan_copy plans no other action.
        if not isinstance(action, Copy):
            raise AssertionError(f"an unknown action: {action!r}")
        with about_container(self.name), self._opened(writable=True) as (_root_fd, source, place):
            done = {path: place.write(path, wanted, source, f"copy/{self.name}") for path, wanted in action.entries}
        run.outcome = {**{path: pair.wanted for path, pair in run.observed.pairs.items()}, **done}

    def observe_again(self, run: Run[Observed]) -> tuple[Observed, Iterable[Action]]:
        with about_container(self.name), self._opened(writable=False) as (_root_fd, _source, place):
            # Compared with the content that was copied, since the source may have changed.
            views = run.outcome.items()
            observed = _observed(place, {path: Pair(view, place.observe(path, view.size)) for path, view in views})
        return observed, self.plan(observed).actions

    def predicted_result(self) -> dict:
        """The result in check mode if an earlier task of the play would create what this one needs."""
        views: dict[str, FileView] = {}
        # Raised if an earlier task would create the source, too.
        with contextlib.suppress(NotFound):
            views = self._source_views()
        top = views.get("", FileView(""))
        has_own_name = not self.contents if top.kind == "directory" else self.under_own_name
        mode = top.mode if self.mode is None else self.mode
        of_file = {"checksum": None, "mode": f"{mode:04o}", "uid": None, "gid": None}
        return {
            "actions": [f"copy {self.source}"],
            "container": self.name,
            "src": self.src or None,
            "target": os.path.join(self.dest, os.path.basename(self.src)) if has_own_name else self.dest,
            "size": sum(view.size for view in views.values()) if views else None,
            **(of_file if top.kind == "file" else {}),
            # A list, as in every result of this module: its action plugin reads it.
            "diff": [],
        }

    def _source_views(self) -> dict[str, FileView]:
        """Return the files of a source on the host; {} if the source is in the container, which is not known yet."""
        if not self.into:
            return {}
        fd = self._open_source(None)
        try:
            return Source(fd, self.src, "").views()
        finally:
            os.close(fd)

    def result(self, observed: Observed, run: Run[Observed]) -> dict:
        top = observed.pairs[""].wanted
        of_file = {"checksum": top.digest or None, "mode": f"{top.mode:04o}", "uid": top.owner, "gid": top.group}
        return {
            "container": self.name,
            "src": self.src or None,
            # Not "dest": AnsibleModule would add owner and mode of that path on the host.
            "target": observed.target,
            "size": sum(pair.wanted.size for pair in observed.pairs.values()),
            **(of_file if top.kind == "file" else {}),
            "diff": [
                diff
                for action in run.done
                if isinstance(action, Copy)
                for diff in differences(action, run.observed.pairs)
            ],
        }

    @contextlib.contextmanager
    def _opened(self, writable: bool) -> Iterator[tuple[int, Source, Destination]]:
        """The container's root, source and destination, open during the block."""
        spec = store.read_spec(self.paths)
        if spec is None:
            raise mark_pending(container_not_found(self.name))
        with contextlib.ExitStack() as stack:
            root_fd = stack.enter_context(open_root(self.settings, self.paths, spec, writable and self.into))
            source_fd = self._open_source(root_fd)
            stack.callback(os.close, source_fd)
            place = self._open_place(root_fd, copy_source.file_type(source_fd))
            stack.callback(os.close, place.directory_fd)
            yield root_fd, Source(source_fd, self.src, "" if self.into else f" in container {self.name}"), place

    def _open_source(self, root_fd: int | None) -> int:
        if self.content is not None:
            fd = os.memfd_create("content")
            with open(fd, "wb", closefd=False) as file:
                file.write(self.content.encode("utf-8", errors="surrogateescape"))
            os.fchmod(fd, 0o644)
            return fd
        where = f"src {self.src}" + ("" if self.into else f" in container {self.name}")
        with open_errors(where):
            fd = _open(None if self.into else root_fd, self.src, os.O_PATH)
        if self.contents and copy_source.file_type(fd) != "directory":
            os.close(fd)
            raise InvalidInput(f"{where} is not a directory", "remove the / at its end")
        return fd

    def _open_place(self, root_fd: int, kind: str) -> Destination:
        """The destination for a source of that `kind`."""
        own_name = os.path.basename(self.src)
        if kind == "directory":
            directory, name = self.dest, "" if self.contents else own_name
        elif self.under_own_name:
            directory, name = self.dest, own_name
        else:
            directory, name = os.path.split(self.dest)
        try:
            fd = self._open_directory(root_fd, directory)
        except NotFound:
            if name:
                raise
            # dest itself is created; its parent must exist.
            directory, name = os.path.split(directory)
            fd = self._open_directory(root_fd, directory)
        path = os.path.join(directory, name) if name else directory
        if not self.into:
            return Destination(fd, name, None, path, path)
        return Destination(fd, name, read_ids(self.paths), path, f"{self.name}:{path}")

    def _open_directory(self, root_fd: int, path: str) -> int:
        with open_errors(f"directory {path} of dest" + (f" in container {self.name}" if self.into else "")):
            return _open(root_fd if self.into else None, path, os.O_RDONLY | os.O_DIRECTORY)

    def _compare(self, source: Source, place: Destination, owner: int | None, group: int | None) -> dict[str, Pair]:
        pairs, shown = {}, 0
        for path, view in source.views().items():
            found = place.observe(path, view.size)
            wanted = self._with_attributes(view, found, owner, group)
            if wanted.kind == "file":
                if found.digest:
                    wanted = replace(wanted, digest=source.digest(path, wanted.size))
                if shown < MAX_DIFF_SIZE and not same_content(Pair(wanted, found)):
                    wanted = replace(wanted, text=source.text(path, wanted.size))
                    found = replace(found, text=place.text(path, found.size))
                    shown += len(wanted.text or b"") + len(found.text or b"")
            pairs[path] = Pair(wanted, found)
        return pairs

    def _ids(self, root_fd: int) -> tuple[int | None, int | None]:
        """Owner and group of the copies; None for those of the present file, or else root."""
        if not self.into:
            owner = None if self.owner is None else _host_id(self.owner, "owner")
            return owner, None if self.group is None else _host_id(self.group, "group")
        user = resolve_user(f"{self.owner or 0}:{self.group or 0}", [f"/proc/self/fd/{root_fd}"])
        ids = read_ids(self.paths)
        for option, number in (("owner", user.uid), ("group", user.gid)):
            if ids is not None and number >= ids.size:
                raise InvalidInput(
                    f"{option} {number} is not in the container's range of ids, 0 to {ids.size - 1}",
                    "use an id in that range",
                )
        return user.uid, user.gid

    def _with_attributes(self, view: FileView, found: FileView, owner: int | None, group: int | None) -> FileView:
        present = found if found.kind == view.kind else FileView(view.kind, mode=0o600)
        mode = self.mode
        if view.kind == "directory":
            present, mode = replace(present, mode=0o700), self.directory_mode
        if mode is None:
            # Never the mode of a file inside: the container could make a copy on the host setuid or readable by all.
            mode = view.mode if self.into else present.mode & 0o777
        owner, group = (present.owner if owner is None else owner), (present.group if group is None else group)
        return replace(view, mode=mode, owner=owner, group=group)


def _open(root_fd: int | None, path: str, flags: int) -> int:
    """Open a path in the container with this root, or on the host without `root_fd`."""
    return os.open(to_bytes(path), flags | os.O_CLOEXEC) if root_fd is None else open_inside(root_fd, path, flags)


def _parse_mode(value: object, option: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch(r"(0o?)?[0-7]{1,4}", value):
        return int(value.replace("o", ""), 8)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o7777:
        return value
    raise InvalidInput(f"{option} {value!r} is not an octal number", 'write it in quotes, like "0644"')


def _host_id(text: str, option: str) -> int:
    if re.fullmatch("[0-9]{1,10}", text) and int(text) < (1 << 32) - 1:
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid if option == "owner" else grp.getgrnam(text).gr_gid
    except KeyError:
        raise InvalidInput(f"{option} {text!r} does not exist on the host", "create it, or give its number") from None
