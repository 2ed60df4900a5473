# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs of the host: argument lists, never a shell; a fixed, English environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from .._errors import EffectFailed, HostNotCapable

# ssh and cron give a short PATH; what we call lives in sbin.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def find_program(name: str) -> str | None:
    """Absolute path of the program `name` on this host, or None."""
    return shutil.which(name, path=PATH)


def require_program(name: str, package: str) -> str:
    """Absolute path of `name`; raises HostNotCapable naming the Debian `package` that has it."""
    found = find_program(name)
    if found is None:
        raise HostNotCapable(
            f"the program {name} is missing", f"apt-get install {package}, or role conductor.containers.host"
        )
    return found


def run(argv: Sequence[str], *, stdin: bytes = b"", timeout: float | None = None, home: str | None = None) -> bytes:
    """Run `argv`, give it `stdin`, return its standard output.

    `home`: where it keeps files of its user's; None: where we do.

    Raises EffectFailed with the end of its standard error where it does not exit 0, or runs over `timeout` seconds.
    """
    environment = {"PATH": PATH, "LC_ALL": "C", "HOME": os.environ.get("HOME", "/root")}
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, env=environment, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise EffectFailed(f"{argv[0]} ran longer than {timeout:g} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-2000:]
        raise EffectFailed(f"{' '.join(argv)} failed with exit status {done.returncode}", said, rc=done.returncode)
    return done.stdout
