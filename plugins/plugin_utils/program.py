# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our program on a managed host (module_utils/_entry), and the socket of the server that it is there."""

from __future__ import annotations

import contextlib
import os
import shlex

from ansible import constants as C

_ROOMS = tuple(
    "_errors.py _zipapp.py _linux/ _model/ _store/ _plan/ _network/ _container/ _case/ _image/ _entry/".split()
)
# What modules of Ansible have in common is nothing without Ansible.
_WITHOUT = ("_case/run.py",)


def served() -> tuple[str, str]:
    """Paths on a host: of the program that serves there, and of its socket. Another program has others.

    They are kept while Ansible runs, where its processes have their temporary files: each task is a process of its own,
    and would have to read all of our sources, and to load who reads them.
    """
    kept = os.path.join(C.DEFAULT_LOCAL_TMP, "conductor-served")
    try:
        with open(kept, encoding="utf-8") as file:
            program, socket = file.read().split()
    except FileNotFoundError:
        program, socket = _served()
        # Where they cannot be kept they are found out again.
        with contextlib.suppress(OSError):
            with open(f"{kept}.{os.getpid()}", "w", encoding="utf-8") as file:
                file.write(f"{program} {socket}")
            os.replace(file.name, kept)
    return program, socket


def _served() -> tuple[str, str]:
    from ansible_collections.conductor.containers.plugins.module_utils import _zipapp
    from ansible_collections.conductor.containers.plugins.module_utils._model.layout import LIBRARY_DIR, RUN_DIR

    digest = _zipapp.digest(_ROOMS, without=_WITHOUT)
    return f"{LIBRARY_DIR}/entry-{digest}.pyz", f"{RUN_DIR}/entry/{digest}"


def put_program() -> tuple[str, bytes]:
    """Command that puts the program on a host, and what it is to be fed with. It appears whole or not at all."""
    from ansible_collections.conductor.containers.plugins.module_utils import _zipapp

    content = _zipapp.build(_ROOMS, "_entry.main", without=_WITHOUT)
    # What was of use to another release, and not for a week, goes.
    script = (
        'umask 022; mkdir -p "${1%/*}" && cat > "$1.$$" && mv "$1.$$" "$1" && '
        'find "${1%/*}" -name "entry-*" ! -path "$1" -mtime +7 -delete'
    )
    program, _ = served()
    return shlex.join(["/bin/sh", "-c", script, "sh", program]), content
