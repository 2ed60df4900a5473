# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that outlives a module run: one zip file of our own sources, put on the host under a name with its hash."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile

from .._linux.files import write_atomic
from .._model.layout import LIBRARY_DIR

# Not called here: Ansible's payload holds only what a module imports, and so would lack what the runtime begins with.
from .main import main  # noqa: F401

# What starting and supervising needs; use cases and builders stay out, and with them what changes most.
_ROOMS = ("_errors.py", "_linux/", "_model/", "_store/", "_plan/", "_network/", "_container/")
# The zip file that we were loaded from: Ansible's payload, or the runtime itself; else we are files in a directory.
_LOADED_FROM = getattr(globals().get("__loader__"), "archive", None)
_MAIN = "from conductor._container.main import main\nmain()\n"


def install_runtime() -> str:
    """Path of the runtime for the code that runs now, written unless it is there."""
    path = os.path.join(LIBRARY_DIR, f"conductor-{_fingerprint()}.pyz")
    if not os.path.exists(path):
        os.makedirs(LIBRARY_DIR, mode=0o755, exist_ok=True)
        write_atomic(path, _archive(_sources()), mode=0o644)
    return path


def _archive(sources: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        rooms = {os.path.dirname(name) for name in sources if "/" in name}
        packages = {f"conductor/{room}/__init__.py": b"" for room in rooms} | {"conductor/__init__.py": b""}
        files = {"__main__.py": _MAIN.encode(), **packages, **{f"conductor/{n}": text for n, text in sources.items()}}
        for name, text in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def _fingerprint() -> str:
    """Which code runs now. By what is known of each source file without reading it: this is part of every start."""
    if _LOADED_FROM:
        with zipfile.ZipFile(_LOADED_FROM) as archive:
            known = [(name, info.CRC, info.file_size) for name, info in _members(archive).items()]
    else:
        stats = {name: os.stat(path) for name, path in _files().items()}
        known = [(name, found.st_mtime_ns, found.st_size) for name, found in stats.items()]
    return hashlib.sha256(repr(sorted(known)).encode()).hexdigest()[:16]


def _sources() -> dict[str, bytes]:
    """Our own source files by path below module_utils, from the directory or the zip file that we were loaded from."""
    if _LOADED_FROM:
        with zipfile.ZipFile(_LOADED_FROM) as archive:
            return {name: archive.read(info) for name, info in _members(archive).items()}
    sources = {}
    for name, path in _files().items():
        with open(path, "rb") as file:
            sources[name] = file.read()
    return sources


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    prefix = os.path.dirname(os.path.dirname(os.path.relpath(__file__, _LOADED_FROM))) + "/"
    ours = {info.filename[len(prefix) :]: info for info in archive.infolist() if info.filename.startswith(prefix)}
    return {name: info for name, info in ours.items() if _wanted(name)}


def _files() -> dict[str, str]:
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    names = [name for name in _ROOMS if name.endswith(".py")]
    names += [room + file for room in _ROOMS if room.endswith("/") for file in os.listdir(os.path.join(top, room))]
    return {name: os.path.join(top, name) for name in names if _wanted(name)}


def _wanted(name: str) -> bool:
    return name.endswith(".py") and not name.endswith("__init__.py") and name.startswith(_ROOMS)
