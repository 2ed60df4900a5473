# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a builder's program so that nothing of it can stay: its own mount and pid namespace, gone with us."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from .._errors import EffectFailed
from .._linux.commands import PATH, require_program

_TAIL = 3000


def run_logged(argv: Sequence[str], log: str, what: str) -> None:
    """Run `argv` with its output appended to `log`. Raises EffectFailed with the log's end and path.

    Its mounts are invisible to the host, and the kernel kills all of it when we are killed (pdeathsig, then the end of
    the pid namespace's first process).
    """
    wrapper = [
        require_program("setpriv", "util-linux"), "--pdeathsig", "KILL",
        require_program("unshare", "util-linux"), "--mount", "--propagation", "private", "--pid", "--fork",
        "--kill-child", "--mount-proc",
    ]  # fmt: skip
    environment = {
        "PATH": PATH,
        "LC_ALL": "C.UTF-8",
        "HOME": "/root",
        "DEBIAN_FRONTEND": "noninteractive",
        **_proxies(),
    }
    with open(log, "ab") as file:
        file.write(f"+ {' '.join(argv)}\n".encode())
        file.flush()
        done = subprocess.run(
            [*wrapper, *argv],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        )
    if done.returncode:
        tail = log_tail(log)
        last = next((line for line in reversed(tail.splitlines()) if line.strip()), "it said nothing")
        raise EffectFailed(
            f"{what} failed with exit status {done.returncode}: {last}", f"see {log}", log=log, log_tail=tail
        )


def log_tail(log: str) -> str:
    """The end of the log file."""
    with open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - _TAIL))
        return file.read().decode(errors="replace")


def _proxies() -> dict[str, str]:
    return {name: os.environ[name] for name in ("http_proxy", "https_proxy", "no_proxy") if name in os.environ}
