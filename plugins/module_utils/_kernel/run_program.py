# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run programs of the host: from argument lists, never by a shell, in a fixed environment in the C locale."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from .._errors import EffectFailed, HostNotCapable, one_line

# The PATH of ssh and cron lacks the sbin directories, which hold the programs that are run here.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Characters of standard error that are kept of a program that failed: its end.
_STDERR = 2000


class ProgramFailed(EffectFailed):
    """A program exited with a status other than 0. `stderr` is the end of its standard error, with its lines."""

    def __init__(self, argv: Sequence[str], status: int, stderr: str) -> None:
        said = f": {one_line(stderr, _STDERR)}" if stderr else ""
        super().__init__(f"{' '.join(argv)} failed with exit status {status}{said}", rc=status)
        self.stderr = stderr


def find_program(name: str) -> str | None:
    """Return the absolute path of the program `name` on this host, or None."""
    return shutil.which(name, path=PATH)


def require_program(name: str, package: str) -> str:
    """Return the absolute path of `name`. Raises HostNotCapable, which names the Debian `package` that contains it."""
    found = find_program(name)
    if found is None:
        raise HostNotCapable(
            f"the program {name} is missing",
            f"run apt-get install {package}, or apply role conductor.containers.host",
        )
    return found


def run(argv: Sequence[str], *, stdin: bytes = b"", timeout: float | None = None, home: str | None = None) -> bytes:
    """Run `argv` with `stdin` as its standard input and return its standard output.

    `home` is its HOME; None keeps that of this process. Raises ProgramFailed if its exit status is not 0, EffectFailed
    if it runs longer than `timeout` seconds.
    """
    environment = {"PATH": PATH, "LC_ALL": "C", "HOME": os.environ.get("HOME", "/root")}
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, env=environment, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise EffectFailed(f"{argv[0]} ran longer than {timeout:g} s") from None
    if done.returncode:
        raise ProgramFailed(argv, done.returncode, done.stderr.decode(errors="replace").strip()[-_STDERR:])
    return done.stdout
