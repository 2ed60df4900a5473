# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs made of our own sources: one zip file that Python executes (the standard library's zipapp has the format).

Where our sources are told by how we were loaded ourselves: from a directory, from Ansible's payload, or from such a
program.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile

# The zip file that we were loaded from: Ansible's payload, or a program of this kind; else we are files in a directory.
_LOADED_FROM = getattr(globals().get("__loader__"), "archive", None)
# module_utils, in which we are _engine/program_zip.py.
_TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Before that, sets are written in an order that differs from run to run (https://bugs.python.org/issue37596).
_COMPILES_THE_SAME = sys.version_info >= (3, 11)


def fingerprint(rooms: tuple[str, ...]) -> str:
    """Which code `rooms` have now, by what is known of each source file without reading it.

    `rooms`: what to take of module_utils, like "_errors.py" and "_kernel/".
    """
    if _LOADED_FROM:
        with zipfile.ZipFile(_LOADED_FROM) as archive:
            known = [(name, info.CRC, info.file_size) for name, info in _members(archive, rooms).items()]
    else:
        stats = {name: os.stat(path) for name, path in _files(rooms).items()}
        known = [(name, found.st_mtime_ns, found.st_size) for name, found in stats.items()]
    return hashlib.sha256(repr(sorted(known)).encode()).hexdigest()[:16]


def digest(rooms: tuple[str, ...], without: tuple[str, ...] = ()) -> str:
    """Which code `rooms` have, by its text: the same on every machine, without building the program.

    `without` are files of `rooms` to leave out. How programs are built is told by this file, which is one of them.
    """
    found = hashlib.sha256()
    for name, text in sorted(_sources(rooms).items()):
        if name not in without:
            found.update(f"{name} {len(text)}\n".encode() + text)
    return found.hexdigest()[:16]


def build(
    rooms: tuple[str, ...],
    main: str,
    head: bytes = b"",
    without: tuple[str, ...] = (),
    compiled: bool = False,
) -> bytes:
    """The program: `main` is the module below `rooms` with a function main(), like "_cli.main".

    `head` stands before the zip file, as the line of an interpreter does; `without` are files of `rooms` to leave out.
    With `compiled` it begins faster, by the byte code for the Python that runs this; any other takes the sources. The
    same sources always give the same bytes.
    """
    buffer = io.BytesIO()
    sources = {name: text for name, text in _sources(rooms).items() if name not in without}
    with zipfile.ZipFile(buffer, "w") as archive:
        packages = {f"conductor/{folder}/__init__.py": b"" for name in sources for folder in _folders(name)}
        files = {
            "__main__.py": f"from conductor.{main} import main\nmain()\n".encode(),
            "conductor/__init__.py": b"",
            **packages,
            **{f"conductor/{name}": text for name, text in sources.items()},
        }
        if compiled and _COMPILES_THE_SAME:
            files.update({f"{name}c": _compile(name, text) for name, text in files.items()})
        for name, text in sorted(files.items()):
            # Of one date: the time of a build is no part of it.
            archive.writestr(zipfile.ZipInfo(name), text)
    return head + buffer.getvalue()


def _compile(name: str, text: bytes) -> bytes:
    """The file with the byte code of one source file; by its flags (PEP 552) it is not compared with that."""
    import importlib.util
    import marshal

    # The last version that does not tell how often an object is used just now, which differs from run to run.
    code = marshal.dumps(compile(text, name, "exec", dont_inherit=True), 2)
    return importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8) + code


def _sources(rooms: tuple[str, ...]) -> dict[str, bytes]:
    """Our own source files by path below module_utils."""
    if _LOADED_FROM:
        with zipfile.ZipFile(_LOADED_FROM) as archive:
            return {name: archive.read(info) for name, info in _members(archive, rooms).items()}
    sources = {}
    for name, path in _files(rooms).items():
        with open(path, "rb") as file:
            sources[name] = file.read()
    return sources


def _members(archive: zipfile.ZipFile, rooms: tuple[str, ...]) -> dict[str, zipfile.ZipInfo]:
    prefix = os.path.relpath(_TOP, _LOADED_FROM) + "/"
    ours = {info.filename[len(prefix) :]: info for info in archive.infolist() if info.filename.startswith(prefix)}
    return {name: info for name, info in ours.items() if _wanted(name, rooms)}


def _files(rooms: tuple[str, ...]) -> dict[str, str]:
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(_TOP) for name in names]
    found = {os.path.relpath(path, _TOP): path for path in paths}
    return {name: path for name, path in found.items() if _wanted(name, rooms)}


def _folders(name: str) -> list[str]:
    """Folders of the file `name`, as "_kernel/files" and "_kernel" of "_kernel/files/copy_source.py"."""
    folders = []
    while "/" in name:
        name = name.rpartition("/")[0]
        folders.append(name)
    return folders


def _wanted(name: str, rooms: tuple[str, ...]) -> bool:
    return name.endswith(".py") and not name.endswith("__init__.py") and name.startswith(rooms)
