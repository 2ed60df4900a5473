# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_command: install the files of the host command."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..._engine.action import Action, Plan
from ..._engine.bundle import current, digest, is_pinned, path_of, pin, unpin
from ..._engine.engine import Run, UseCase
from ..._engine.paths import is_absolute
from ..._engine.settings import Settings
from ..._errors import InvalidInput
from ..._kernel.files.atomic_write import sync_directory, write_atomic
from ..._kernel.flock import Lock
from .. import completion
from .plan import File, RemoveFile, WriteFile, plan_files
from .program import MARKS, program


@dataclass(frozen=True)
class Content:
    """Wanted content and mode of a file. Every release of the file has one of `marks` in it, and no other file has."""

    data: bytes
    mode: int
    marks: tuple[bytes, ...]


def build(params: dict, settings: Settings) -> CommandCase:
    """Return the use case for the program and its completion in this release."""
    contents = {
        "path": Content(program(path_of(digest())), 0o755, MARKS),
        "completion": Content(completion.script("bash").encode(), 0o644, (completion.MARK,)),
    }
    return CommandCase(params, settings, contents)


# In quotes, since Python 3.9 cannot evaluate the expression.
class CommandCase(UseCase["dict[str, File | None]"]):
    """`contents` maps the module option that names a file to the wanted content."""

    def __init__(self, params: dict, settings: Settings, contents: dict[str, Content]) -> None:
        self.settings = settings
        self.present = params["state"] == "present"
        self.paths = {option: params[option] for option in contents}
        self.contents = {params[option]: content for option, content in contents.items()}
        for option, path in self.paths.items():
            if not is_absolute(path):
                raise InvalidInput(f"{option} {path!r} is not an absolute path")

    def locks(self) -> Iterable[Lock]:
        # None: files are written atomically, and the last write wins.
        return ()

    def observe(self) -> dict[str, File | None]:
        files = {path: _read_file(path, content.marks) for path, content in self.contents.items()}
        program = files[self.paths["path"]]
        # Without its bundle, which a later release could delete, the program does not run.
        if program is not None and program.ours and not is_pinned(path_of(digest())):
            files[self.paths["path"]] = replace(program, kept=False)
        return files

    def plan(self, observed: dict[str, File | None]) -> Plan:
        return plan_files({path: self._wanted(content) for path, content in self.contents.items()}, observed)

    def _wanted(self, content: Content) -> File | None:
        return File(_digest(content.data), content.mode) if self.present else None

    def apply(self, action: Action, run: Run[dict[str, File | None]]) -> None:
        # plan_files returns no other actions.
        if not isinstance(action, (WriteFile, RemoveFile)):
            raise AssertionError(f"an unknown action: {action!r}")
        directory = os.path.dirname(action.path)
        if isinstance(action, WriteFile):
            content = self.contents[action.path]
            if content.marks == MARKS:
                pin(current())
            os.makedirs(directory, mode=0o755, exist_ok=True)
            write_atomic(action.path, content.data, content.mode)
        else:
            os.unlink(action.path)
            sync_directory(directory)
            if self.contents[action.path].marks == MARKS:
                unpin()

    def result(self, observed: dict[str, File | None], run: Run[dict[str, File | None]]) -> dict:
        return dict(self.paths)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_file(path: str, marks: tuple[bytes, ...]) -> File | None:
    """Return the file at `path`, or None. Raises OSError."""
    try:
        # Follows no symlink, and does not wait for a writer of a FIFO.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return File("", 0, ours=False)
        raise
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return File("", stat.S_IMODE(found.st_mode), found.st_uid, ours=False)
        with open(fd, "rb", closefd=False) as file:
            data = file.read()
    finally:
        os.close(fd)
    return File(_digest(data), stat.S_IMODE(found.st_mode), found.st_uid, any(mark in data for mark in marks))
