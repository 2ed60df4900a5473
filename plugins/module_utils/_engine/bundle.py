# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle: all of module_utils on a managed host, in one directory whose name is the hash of its content.

Modules, supervisors, the agent and the host command run from it. It is a package `conductor` with a `__main__.py`, so
`python3 DIRECTORY VERB` executes it, and Python keeps byte code in it: a module imports it in a third of the time that
Ansible's payload takes, and the payload stays small.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib
import io
import os
import sys
import time
import zipfile
from collections.abc import Iterator
from types import ModuleType

from .._kernel.files.atomic_write import remove_tree
from .._kernel.processes import is_argument
from .paths import LIBRARY_DIR

# module_utils, or its copy in a bundle: we are _engine/bundle.py in it.
_TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The zip file that we are loaded from, if any: Ansible's payload, or a bundle that is not installed.
_ARCHIVE = getattr(globals().get("__loader__"), "archive", None)
_PACKAGE = "conductor"
_MAIN = b"from conductor._agent.main import main\n\nmain()\n"
# It needs Ansible, which no bundle has.
_LEFT_OUT = ("_engine/module_adapter.py",)
# Seconds after which a bundle that nobody has used is deleted.
_UNUSED = 7 * 86400
# Seconds after which use of a bundle is noted again.
_NOTED = 86400
# A file in a bundle that is kept: the host command runs from it.
_PINNED = "pinned"


def pack() -> tuple[str, bytes]:
    """Hash and zip file of the bundle of the code that runs now. The same sources always give the same bytes.

    Ansible's payload has only a part of the sources: call it on the controller, or where a bundle runs.
    """
    sources = _sources()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in _files(sources).items():
            # With a fixed date: the time of packing is no part of the content.
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return _digest(sources), buffer.getvalue()


def digest() -> str:
    """Hash of the bundle of the code that runs now."""
    installed = _installed()
    return os.path.basename(installed) if installed else _digest(_sources())


def path_of(bundle: str) -> str:
    """Directory of the bundle with the hash `bundle`, installed or not."""
    return os.path.join(LIBRARY_DIR, bundle)


def current() -> str:
    """Directory of the bundle of the code that runs now, installed if it is missing. Raises OSError."""
    installed = _installed()
    if installed:
        os.utime(installed)
        return installed
    # Of a module that runs from a checkout, or of a bundle in a zip file.
    bundle, data = pack()
    return install(bundle, io.BytesIO(data))


def install(bundle: str, file: str | io.BytesIO) -> str:
    """Unpack the zip `file` as the bundle with that hash, whole or not at all; its directory.

    Raises ValueError if the content has another hash, OSError.
    """
    directory = path_of(bundle)
    os.makedirs(LIBRARY_DIR, mode=0o755, exist_ok=True)
    with _locked():
        if os.path.isdir(directory):
            os.utime(directory)
            return directory
        with zipfile.ZipFile(file) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        sources = _sources_in(content)
        if _digest(sources) != bundle or content != _files(sources):
            raise ValueError(f"the file of bundle {bundle} is damaged: its content has another hash")
        staging = f"{directory}.new"
        remove_tree(staging)
        _write(staging, content)
        os.rename(staging, directory)
        _remove_unused()
    return directory


def pin(directory: str) -> None:
    """Keep this bundle, and no other, until `unpin`: the host command runs from it."""
    unpin(but=directory)
    with open(os.path.join(directory, _PINNED), "w", encoding="ascii"):
        pass


def unpin(but: str = "") -> None:
    """Let each bundle except `but` be deleted when it is not used any more."""
    for directory in _bundles():
        if directory != but:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, _PINNED))


def load(name: str, bundle: str | None = None, file: str | None = None) -> ModuleType:
    """The module `name`, like "_engine.engine", from the bundle with the hash `bundle`.

    With `file`, it is imported from that zip file, and nothing is installed. Without `bundle`, it is imported from the
    files beside this one. Raises ModuleNotFoundError if they are missing.
    """
    if bundle is None:
        return importlib.import_module(f"{__package__.rpartition('.')[0]}.{name}")
    place = file or path_of(bundle)
    if not file:
        _note_use(place)
    if place not in sys.path:
        sys.path.insert(0, place)
    return importlib.import_module(f"{_PACKAGE}.{name}")


def _note_use(directory: str) -> None:
    """Have the directory's modification time say that it is in use. Raises ModuleNotFoundError if it is missing."""
    try:
        if time.time() - os.stat(directory).st_mtime > _NOTED:
            os.utime(directory)
    except FileNotFoundError:
        raise ModuleNotFoundError(f"no bundle at {directory}", name=_PACKAGE) from None


def _installed() -> str | None:
    """Directory of the bundle that this code runs from, or None."""
    directory, package = os.path.split(_TOP)
    return directory if package == _PACKAGE and os.path.dirname(directory) == LIBRARY_DIR else None


def _sources() -> dict[str, bytes]:
    """Text of the source files of module_utils by path."""
    if _ARCHIVE:
        prefix = os.path.relpath(_TOP, _ARCHIVE) + "/"
        with zipfile.ZipFile(_ARCHIVE) as archive:
            found = {name[len(prefix) :]: archive.read(name) for name in archive.namelist() if name.startswith(prefix)}
    else:
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(_TOP) for name in names]
        found = {}
        for path in paths:
            if path.endswith(".py"):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, _TOP)] = file.read()
    return {name: text for name, text in found.items() if not name.endswith("__init__.py") and name not in _LEFT_OUT}


def _digest(sources: dict[str, bytes]) -> str:
    found = hashlib.sha256(_MAIN)
    for name, text in sorted(sources.items()):
        found.update(f"{name} {len(text)}\n".encode() + text)
    return found.hexdigest()[:16]


def _files(sources: dict[str, bytes]) -> dict[str, bytes]:
    """The files of the bundle. Each folder has an `__init__.py`: without one it takes longer to import from it."""
    folders = {_PACKAGE}
    for name in sources:
        parts = [_PACKAGE, *name.split("/")[:-1]]
        folders |= {"/".join(parts[: depth + 1]) for depth in range(len(parts))}
    files = {f"{_PACKAGE}/{name}": text for name, text in sources.items()}
    packages = {f"{folder}/__init__.py": b"" for folder in folders}
    return dict(sorted({"__main__.py": _MAIN, **files, **packages}.items()))


def _sources_in(files: dict[str, bytes]) -> dict[str, bytes]:
    """The sources that `_files` has made `files` of."""
    prefix = f"{_PACKAGE}/"
    return {
        name[len(prefix) :]: text
        for name, text in files.items()
        if name.startswith(prefix) and not name.endswith("__init__.py")
    }


def _write(directory: str, content: dict[str, bytes]) -> None:
    """Write the files of a new bundle, readable for everybody, and have them on disk."""
    import ctypes

    umask = os.umask(0o022)
    try:
        for name, text in content.items():
            path = os.path.join(directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(text)
    finally:
        os.umask(umask)
    # One for all files; a file of its own each would take a second (syncfs(2)).
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd):
            raise OSError(ctypes.get_errno(), "the bundle cannot be written to the disk", directory)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Hold the lock of all bundles for the block."""
    fd = os.open(LIBRARY_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _bundles() -> list[str]:
    """Directories of all bundles on this host."""
    try:
        names = os.listdir(LIBRARY_DIR)
    except FileNotFoundError:
        return []
    directories = [os.path.join(LIBRARY_DIR, name) for name in names]
    return [directory for directory in directories if os.path.isdir(os.path.join(directory, _PACKAGE))]


def _remove_unused() -> None:
    """Delete bundles of other releases, except for those that are pinned, or that a supervisor or an agent runs."""
    for directory in _bundles():
        with contextlib.suppress(FileNotFoundError):
            is_old = time.time() - os.stat(directory).st_mtime > _UNUSED
            if is_old and not os.path.exists(os.path.join(directory, _PINNED)) and not is_argument(directory):
                remove_tree(directory)
