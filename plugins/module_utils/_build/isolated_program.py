# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program in its own namespaces, so that its processes and mounts end with it and with the calling process."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from .._errors import EffectFailed
from .._kernel import syscalls
from .._kernel.run_program import PATH

_TAIL = 3000
_PR_SET_PDEATHSIG = 1
_NAMESPACES = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
# tar's last word, after the line with the reason.
_SAYS_NOTHING = re.compile(r"tar: (Exiting with failure status due to previous errors|Error is not recoverable: .*)")
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")


def mount_proc() -> None:
    """Mount a /proc of the new pid namespace."""
    syscalls.mount("proc", "/proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)


def run_logged(
    argv: Sequence[str],
    log: str,
    what: str,
    *,
    prepare: Callable[[], None] = mount_proc,
    environment: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    execute: Callable[[Sequence[str], dict[str, str]], NoReturn] | None = None,
) -> None:
    """Run `argv` and append its output to `log`. Raises EffectFailed with the path and the end of the log.

    Its standard output goes to the descriptor `stdout` if given; its input is `stdin`, else /dev/null. `execute` is
    called with `argv` and the environment to execute the program, instead of execvpe(3). `what` names it in errors.

    The program is the first process of its own mount, pid, IPC and UTS namespaces: when it ends, or is killed, or the
    calling process ends, the kernel kills all processes that it started and removes its mounts. `prepare` runs in these
    namespaces before the program.
    """
    given = {name: os.environ[name] for name in PROXIES if name in os.environ}
    basic = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
    with open(log, "ab", buffering=0) as file:
        file.write(f"+ {shlex.join(argv)}\n".encode(errors="surrogateescape"))
        output = file.fileno()
        child = _Child(
            argv, prepare, {**basic, **given, **(environment or {})}, (stdin, stdout or output, output), execute
        )
        status = child.wait()
    if status == 0:
        return
    tail = log_tail(log)
    how = f"failed with exit status {status}" if status > 0 else f"was killed by {signal.Signals(-status).name}"
    raise EffectFailed(f"{what} {how}: {cause(tail)}", f"see {log}", log=log, log_tail=tail)


def cause(tail: str) -> str:
    """Return the line at the end of a log that best explains why the last program in it failed.

    apt reports a failed download in a line "Err:" with the reason in the next line, and other errors in lines "E:",
    the last of which only report that there was an error.
    """
    lines = tail.splitlines()
    begin = max((number for number, line in enumerate(lines) if line.startswith("+ ")), default=-1)
    said = [line for line in lines[begin + 1 :] if line.strip() and not _SAYS_NOTHING.fullmatch(line)]
    for line, following in zip(said, [*said[1:], ""]):
        if line.startswith("Err:"):
            return f"{line} {following.strip()}".strip() if following.startswith(" ") else line
    errors = [line for line in said if line.startswith("E: ")]
    return (errors or said[-1:] or ["it printed no error"])[0]


def log_tail(log: str) -> str:
    """Return the last bytes of the log file as text."""
    with open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - _TAIL))
        return file.read().decode(errors="replace")


class _Child:
    """The started program."""

    def __init__(
        self,
        argv: Sequence[str],
        prepare: Callable[[], None],
        environment: Mapping[str, str],
        streams: tuple[int | None, int, int],
        execute: Callable[[Sequence[str], dict[str, str]], NoReturn] | None,
    ) -> None:
        # The pipe closes when this process dies. The child checks it, as it may die before PR_SET_PDEATHSIG is set.
        alive, self._ours = os.pipe()
        try:
            self.pid = syscalls.clone3(_NAMESPACES)
            if self.pid == 0:
                os.close(self._ours)
                _become(argv, prepare, environment, streams, alive, execute)
        finally:
            os.close(alive)

    def wait(self) -> int:
        """Wait for the end; return the exit status, or the negative number of the signal that killed the program."""
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except BaseException:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise
        finally:
            os.close(self._ours)


def _become(
    argv: Sequence[str],
    prepare: Callable[[], None],
    environment: Mapping[str, str],
    streams: tuple[int | None, int, int],
    alive: int,
    execute: Callable[[Sequence[str], dict[str, str]], NoReturn] | None,
) -> None:
    """Execute `argv`. Never returns."""
    stderr = streams[2]
    try:
        syscalls.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if select.select([alive], [], [], 0)[0]:
            os._exit(127)
        os.setsid()
        for signum in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, signal.SIG_DFL)
        # Modes of files in an image must not depend on the umask of the user who builds it.
        os.umask(0o022)
        stdin = os.open("/dev/null", os.O_RDONLY) if streams[0] is None else streams[0]
        for source, target in ((stdin, 0), (streams[1], 1), (stderr, 2)):
            os.dup2(source, target)
        drop_inherited()
        syscalls.mount("", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        prepare()
        if execute is not None:
            execute(argv, dict(environment))
        os.execvpe(argv[0], list(argv), dict(environment))
    except OSError as error:
        os.write(stderr, f"{error.filename or argv[0]}: {error.strerror}\n".encode())
    except BaseException as error:
        os.write(stderr, f"{error}\n".encode())
    finally:
        os._exit(127)


def drop_inherited() -> None:
    """Hide descriptors and keys of the module from the program, which may come from a hostile image."""
    for fd in os.listdir("/proc/self/fd"):
        if int(fd) > 2:
            # EBADF: the descriptor of the listing itself.
            with contextlib.suppress(OSError):
                os.set_inheritable(int(fd), False)
    syscalls.new_session_keyring()
