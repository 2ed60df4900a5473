# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle: all of module_utils on a managed host, in one directory whose name is the hash of its content.

Modules, the supervisor, the agent and the host command run from it. It is a package `conductor` with a `__main__.py`,
so `python3 DIRECTORY VERB` executes it, and Python caches byte code in it: a module imports it in a third of the time
of Ansible's payload, and the payload stays small.
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
from collections.abc import Iterator
from types import ModuleType

from .._errors import LockTimeout
from .._kernel.files.atomic_write import remove_tree
from .paths import LIBRARY_DIR, RUN_DIR

# Directory of module_utils, or of its copy in a bundle; this file is _engine/bundle.py in it.
_TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The zip file that this file is loaded from, if any: Ansible's payload, or a bundle that is not installed.
_ARCHIVE = getattr(globals().get("__loader__"), "archive", None)
_PACKAGE = "conductor"
_MAIN = b"from conductor._agent.main import main\n\nmain()\n"
# This file needs Ansible, which is not a part of the bundle.
_EXCLUDED = ("_engine/module_adapter.py",)
# Seconds after which the use of a bundle is recorded again.
_TOUCH_INTERVAL = 86400
# A file in the bundle that the host command runs from, which is not deleted.
_PINNED = "pinned"
# Seconds to wait for another installation of a bundle.
LOCK_TIMEOUT = 60.0


def pack() -> tuple[str, bytes]:
    """Return hash and zip file of the bundle of the running code. The same sources always give the same bytes.

    Not for Ansible's payload, which contains only a part of the sources: call it on the controller or in a bundle.
    """
    import zipfile

    sources = _sources()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in _files(sources).items():
            # ZipInfo has a fixed date, so that the bytes do not depend on the time.
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, text)
    return _digest(sources), buffer.getvalue()


def digest() -> str:
    """Return the hash of the bundle of the running code."""
    installed = _installed()
    return os.path.basename(installed) if installed else _digest(_sources())


def path_of(bundle: str) -> str:
    """Return the directory of the bundle with the hash `bundle`, installed or not."""
    return os.path.join(LIBRARY_DIR, bundle)


def agent_socket(directory: str) -> str:
    """Return the path of the socket of the agent that runs from the bundle in `directory`."""
    return os.path.join(RUN_DIR, "entry", os.path.basename(directory))


def current() -> str:
    """Return the directory of the bundle of the running code; install it if it is missing.

    Raises LockTimeout and OSError.
    """
    installed = _installed()
    if installed:
        os.utime(installed)
        return installed
    # The code runs from a checkout, or from a bundle in a zip file.
    directory = path_of(digest())
    with contextlib.suppress(FileNotFoundError):
        os.utime(directory)
        return directory
    bundle, data = pack()
    return install(bundle, io.BytesIO(data))


def install(bundle: str, file: str | io.BytesIO) -> str:
    """Unpack the zip `file` atomically as the bundle with the hash `bundle`; return its directory.

    Raises ValueError if the content has another hash, LockTimeout, and OSError.
    """
    import zipfile

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
            raise ValueError(f"the file of bundle {bundle} is damaged: its content has a different hash")
        staging = f"{directory}.new"
        remove_tree(staging)
        _write(staging, content)
        os.rename(staging, directory)
        # Ansible's payload does not contain it, but the new bundle does.
        load("_engine.unused_bundles", bundle if _ARCHIVE else None).remove_unused(_bundles())
    return directory


def pin(directory: str) -> None:
    """Exclude only this bundle from deletion until `unpin`, because the host command runs from it."""
    unpin(but=directory)
    with open(os.path.join(directory, _PINNED), "w", encoding="ascii"):
        pass


def is_pinned(directory: str) -> bool:
    """Return whether this bundle is excluded from deletion."""
    return os.path.exists(os.path.join(directory, _PINNED))


def unpin(but: str = "") -> None:
    """Allow the deletion of each bundle except `but` when it is not used any more."""
    for directory in _bundles():
        if directory != but:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, _PINNED))


def load(name: str, bundle: str | None = None, file: str | None = None) -> ModuleType:
    """Import and return the module `name`, like "_engine.engine", from the bundle with the hash `bundle`.

    With `file`, import it from that zip file and install nothing. Without `bundle`, import it from the package of this
    file. Raises ModuleNotFoundError if the bundle or the module is missing.
    """
    if bundle is None:
        return importlib.import_module(f"{__package__.rpartition('.')[0]}.{name}")
    location = file or path_of(bundle)
    if not file:
        _record_use(location)
    if location not in sys.path:
        sys.path.insert(0, location)
    return importlib.import_module(f"{_PACKAGE}.{name}")


def _record_use(directory: str) -> None:
    """Record the use in the modification time of the directory. Raises ModuleNotFoundError if it is missing."""
    try:
        if time.time() - os.stat(directory).st_mtime > _TOUCH_INTERVAL:
            os.utime(directory)
    except FileNotFoundError:
        raise ModuleNotFoundError(f"no bundle at {directory}", name=_PACKAGE) from None


def _installed() -> str | None:
    """Return the directory of the bundle that this code runs from, or None."""
    directory, package = os.path.split(_TOP)
    return directory if package == _PACKAGE and os.path.dirname(directory) == LIBRARY_DIR else None


def _sources() -> dict[str, bytes]:
    """Return the text of the source files of module_utils by path."""
    if _ARCHIVE:
        import zipfile

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
    return {name: text for name, text in found.items() if not name.endswith("__init__.py") and name not in _EXCLUDED}


def _digest(sources: dict[str, bytes]) -> str:
    found = hashlib.sha256(_MAIN)
    for name, text in sorted(sources.items()):
        found.update(f"{name} {len(text)}\n".encode() + text)
    return found.hexdigest()[:16]


def _files(sources: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of the bundle. Each folder has an `__init__.py`, because imports take longer without one."""
    folders = {_PACKAGE}
    for name in sources:
        parts = [_PACKAGE, *name.split("/")[:-1]]
        folders |= {"/".join(parts[: depth + 1]) for depth in range(len(parts))}
    files = {f"{_PACKAGE}/{name}": text for name, text in sources.items()}
    packages = {f"{folder}/__init__.py": b"" for folder in folders}
    return dict(sorted({"__main__.py": _MAIN, **files, **packages}.items()))


def _sources_in(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the sources of which `_files` created `files`."""
    prefix = f"{_PACKAGE}/"
    return {
        name[len(prefix) :]: text
        for name, text in files.items()
        if name.startswith(prefix) and not name.endswith("__init__.py")
    }


def _write(directory: str, content: dict[str, bytes]) -> None:
    """Write the files of a new bundle, readable for all users, and sync them to disk."""
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
    # One syncfs(2) for all files: an fsync(2) of each file would take a second.
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd):
            raise OSError(ctypes.get_errno(), "the bundle cannot be written to the disk", directory)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Hold the exclusive lock of all bundles for the block. Raises LockTimeout."""
    fd = os.open(LIBRARY_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + LOCK_TIMEOUT
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LockTimeout(
                        f"{LIBRARY_DIR} is locked by another process for longer than {LOCK_TIMEOUT:g} s",
                        "wait until that process (see lslocks) has ended, or stop it, and run this again",
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(fd)


def _bundles() -> list[str]:
    """Return the directories of all bundles on this host."""
    try:
        names = os.listdir(LIBRARY_DIR)
    except FileNotFoundError:
        return []
    directories = [os.path.join(LIBRARY_DIR, name) for name in names]
    return [directory for directory in directories if os.path.isdir(os.path.join(directory, _PACKAGE))]
