# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that outlives a module run: one zip file of our own sources, put on the host under a name with its hash."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import zipfile
import zipimport

from .._linux.files import write_atomic
from .._model.layout import LIBRARY_DIR

# Not called here: Ansible's payload holds only what a module imports, and so would lack what the runtime begins with.
from .main import main  # noqa: F401

# What starting and supervising needs; use cases and builders stay out, and with them what changes most.
_ROOMS = ("_errors.py", "_linux/", "_model/", "_store/", "_plan/", "_network/", "_container/")
_MAIN = "from conductor._container.main import main\nmain()\n"


def install_runtime() -> str:
    """Path of the runtime for the code that runs now, written unless it is there."""
    sources = _sources()
    digest = hashlib.sha256()
    for name, text in sorted(sources.items()):
        digest.update(f"{name} {len(text)}\n".encode() + text)
    path = os.path.join(LIBRARY_DIR, f"conductor-{digest.hexdigest()[:16]}.pyz")
    if not os.path.exists(path):
        os.makedirs(LIBRARY_DIR, mode=0o755, exist_ok=True)
        write_atomic(path, _archive(sources), mode=0o644)
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


def _sources() -> dict[str, bytes]:
    """Our own source files by path below module_utils, from the directory or the zip file that we were loaded from."""
    loader = globals().get("__loader__")
    if isinstance(loader, zipimport.zipimporter):
        # Inside Ansible's payload, or inside the runtime itself.
        prefix = os.path.dirname(os.path.dirname(os.path.relpath(__file__, loader.archive))) + "/"
        with zipfile.ZipFile(loader.archive) as archive:
            names = [name for name in archive.namelist() if name.startswith(prefix) and _wanted(name[len(prefix) :])]
            return {name[len(prefix) :]: archive.read(name) for name in names}
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sources = {}
    for directory, _, files in os.walk(top):
        for file in files:
            name = os.path.relpath(os.path.join(directory, file), top)
            if _wanted(name):
                with contextlib.suppress(FileNotFoundError), open(os.path.join(directory, file), "rb") as source:
                    sources[name] = source.read()
    return sources


def _wanted(name: str) -> bool:
    return name.endswith(".py") and not name.endswith("__init__.py") and name.startswith(_ROOMS)
