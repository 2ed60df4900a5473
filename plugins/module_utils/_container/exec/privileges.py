# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a process inside a container comes to be who and what it shall be: user, capabilities, environment, program."""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from ..._errors import ConductorError, EffectFailed
from ..._kernel import syscalls
from ..._kernel.execute import execute, to_bytes
from ..._kernel.rlimits import Limits, set_limits
from ..._kernel.seccomp import load_filter
from ..seccomp.filters import SeccompFilter
from ..spec import capabilities
from ..spec.container import ContainerSpec
from ..spec.ulimits import Ulimit
from ..users import resolve_user

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Confinement:
    """What no process inside can do: capabilities beyond `bounding`, system calls that a program of `seccomp` refuses,
    and with `no_new_privileges` to gain rights by executing a program. `ulimits` are those that were asked for.
    """

    bounding: frozenset[str]
    seccomp: tuple[bytes, ...] = ()
    no_new_privileges: bool = False
    ulimits: tuple[Ulimit, ...] = ()
    oom_score_adj: int = 0

    @classmethod
    def of(cls, spec: ContainerSpec, seccomp_filter: SeccompFilter) -> Confinement:
        programs = seccomp_filter.programs
        return cls(spec.bounding, programs, spec.no_new_privileges, spec.ulimits, spec.oom_score_adj)


def become_and_exec(
    argv: tuple[str, ...],
    *,
    user: str,
    env: Iterable[tuple[str, str]],
    working_dir: str,
    confinement: Confinement,
    limits: Limits,
) -> None:
    """Become `user` within `confinement` and `limits`, and execute `argv`. Does not return.

    For a process that is in all of its namespaces already, with the container's root as its root. Raises
    InvalidInput or EffectFailed in the container's words.
    """
    who = resolve_user(user, ["/"])
    permitted = syscalls.permitted_capabilities()
    # Handlers end with the exec; what is ignored would stay so (execve(2)): SIGPIPE, by Python, and what nohup(1) did.
    for number in range(1, signal.NSIG):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(0o022)
    _give_streams(who.uid, who.gid)
    drop_bounding(confinement.bounding)
    if confinement.no_new_privileges:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    # So late, for they may be too narrow for us, and before a profile that need not allow it.
    set_limits(limits)
    # While this process may still do so. All that follows must be allowed by the container's profile.
    load_filter.load(confinement.seccomp)
    try:
        os.setgroups(list(who.groups))
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
        if who.uid == 0:
            syscalls.capset(capabilities.mask(confinement.bounding) & permitted)
    except OSError as error:
        raise EffectFailed(f"becoming user {user}: {syscalls.reason(error)}", _hint(error, confinement)) from None
    environment = {"PATH": DEFAULT_PATH, "HOME": who.home, "container": "conductor", **dict(env)}
    try:
        os.chdir(to_bytes(working_dir))
    except OSError as error:
        raise EffectFailed(
            f"working directory {working_dir}: {error.strerror}", _hint(error, confinement, "correct it, or make it")
        ) from None
    try:
        execute(argv, environment)
    except OSError as error:
        raise EffectFailed(
            f"{argv[0]}: {error.strerror}",
            _hint(error, confinement, "it must be a program in the container's file system"),
        ) from None


def _hint(error: OSError, confinement: Confinement, otherwise: str = "") -> str:
    if confinement.seccomp and error.errno in (errno.EPERM, errno.ENOSYS):
        return "does the seccomp profile allow setgroups, setresgid, setresuid, capset, chdir and execve?"
    return otherwise


def _give_streams(uid: int, gid: int) -> None:
    """Let the user open them once more, by /dev/stdout and the like: pipes, the log, a terminal by its name."""
    for fd in (0, 1, 2):
        found = os.fstat(fd)
        if uid == 0 or found.st_uid != 0:
            continue
        if stat.S_ISFIFO(found.st_mode) or stat.S_ISREG(found.st_mode):
            os.fchown(fd, uid, gid)
        elif os.isatty(fd):
            # As login(1) does: its group stays tty.
            os.fchown(fd, uid, -1)


def close_others(keep: set[int]) -> None:
    """Close every descriptor above 2 but `keep`."""
    first = 3
    for fd in sorted(keep):
        syscalls.close_range(first, fd - 1)
        first = fd + 1
    syscalls.close_range(first)


def drop_bounding(keep: frozenset[str]) -> None:
    """Take all capabilities but `keep` out of the bounding set (capabilities(7)): no program gains them any more."""
    for number in range(64):
        name = capabilities.NAMES[number] if number < len(capabilities.NAMES) else ""
        if name in keep:
            continue
        try:
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, number)
        except OSError:
            # EINVAL: the running kernel has no more capabilities than this.
            return


def report(error: BaseException) -> bytes:
    """An error as one line for the other end of a pipe. Never fails, and imports nothing."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, ConductorError):
        text = str(error)
    elif isinstance(error, OSError):
        where = error.filename
        # Bytes as a text: repr() would need no codec, but shows what no user wrote.
        where = where.decode("utf-8", "backslashreplace") if isinstance(where, bytes) else where
        text = f"{error.strerror}{f' ({where})' if where else ''}"
    return text.encode("utf-8", "backslashreplace")
