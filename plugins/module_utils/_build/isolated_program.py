# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a program so that nothing of it can stay: mounts and processes of its own, gone with it and with us."""

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


def own_proc() -> None:
    """A /proc of the new pid namespace."""
    syscalls.mount("proc", "/proc", "proc", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC)


def run_logged(
    argv: Sequence[str],
    log: str,
    what: str,
    *,
    prepare: Callable[[], None] = own_proc,
    environment: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    execute: Callable[[Sequence[str], dict[str, str]], NoReturn] | None = None,
) -> None:
    """Run `argv` with its output appended to `log`, or its standard output to the descriptor `stdout`.

    Its input is /dev/null, or the descriptor `stdin`.

    `execute` is called with `argv` and the environment to become the program, instead of execvpe(3).

    It is the first process of its own mount, pid, IPC and UTS namespaces: when it ends, or is killed, or we are, the
    kernel ends all that it started and takes its mounts away. `prepare` runs there before it. Raises EffectFailed with
    the log's end and path.
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
    """The line of a log's end that says best why the last program in it failed.

    apt names what it could not get in a line "Err:" with the reason in the next one, and other errors in lines "E:", of
    which the last ones say no more than that there was an error.
    """
    lines = tail.splitlines()
    begin = max((number for number, line in enumerate(lines) if line.startswith("+ ")), default=-1)
    said = [line for line in lines[begin + 1 :] if line.strip() and not _SAYS_NOTHING.fullmatch(line)]
    for line, following in zip(said, [*said[1:], ""]):
        if line.startswith("Err:"):
            return f"{line} {following.strip()}".strip() if following.startswith(" ") else line
    errors = [line for line in said if line.startswith("E: ")]
    return (errors or said[-1:] or ["it said nothing"])[0]


def log_tail(log: str) -> str:
    """The end of the log file."""
    with open(log, "rb") as file:
        file.seek(max(0, os.path.getsize(log) - _TAIL))
        return file.read().decode(errors="replace")


class _Child:
    """The program, started."""

    def __init__(
        self,
        argv: Sequence[str],
        prepare: Callable[[], None],
        environment: Mapping[str, str],
        streams: tuple[int | None, int, int],
        execute: Callable[[Sequence[str], dict[str, str]], NoReturn] | None,
    ) -> None:
        # Our end of this pipe closes when we die, which the child may not have asked to be told of yet.
        alive, self._ours = os.pipe()
        try:
            self.pid = syscalls.clone3(_NAMESPACES)
            if self.pid == 0:
                os.close(self._ours)
                _become(argv, prepare, environment, streams, alive, execute)
        finally:
            os.close(alive)

    def wait(self) -> int:
        """Exit status, or the negative number of the signal that killed it."""
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
        # Modes in an image are those that Debian means, whatever the umask of who builds it.
        os.umask(0o022)
        stdin = os.open("/dev/null", os.O_RDONLY) if streams[0] is None else streams[0]
        for source, target in ((stdin, 0), (streams[1], 1), (stderr, 2)):
            os.dup2(source, target)
        _let_go()
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


def _let_go() -> None:
    """Keep descriptors and keys that came with the module from the program, which may be one of a hostile image."""
    for fd in os.listdir("/proc/self/fd"):
        if int(fd) > 2:
            # EBADF: that of the listing itself.
            with contextlib.suppress(OSError):
                os.set_inheritable(int(fd), False)
    syscalls.new_session_keyring()
