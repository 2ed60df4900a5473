# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Last steps of a process that enters a container: user, capabilities, limits, seccomp, environment, program."""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from ..._errors import EffectFailed
from ..._kernel import syscalls
from ..._kernel.execute import execute
from ..._kernel.path_text import to_bytes
from ..._kernel.rlimits import Limits, set_limits
from ..._kernel.seccomp import load_filter
from ..seccomp.filters import SeccompFilter
from ..spec import capabilities
from ..spec.container import ContainerSpec
from ..spec.ulimits import Ulimit
from ..users import resolve_groups, resolve_user, system_environment

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Confinement:
    """Restrictions of all processes inside.

    `bounding`: the capabilities that they can have; `seccomp`: the programs of the filter; `no_new_privileges`: whether
    executing a program gives no privileges; `ulimits`: those of the option.
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
    groups: Iterable[str] = (),
    login: bool = False,
) -> None:
    """Become `user`, also in `groups`, within `confinement` and `limits`, and execute `argv`. Does not return.

    With `login`, the command has the environment that a login by ssh would give it, and `working_dir` is only used if
    the user's home directory cannot be.
    Requires that the process is in all of the container's namespaces, with the container's root as its root. Raises
    InvalidInput or EffectFailed.
    """
    who = resolve_user(user, ["/"])
    all_groups = [*who.groups, *(number for number in resolve_groups(groups, ["/"]) if number not in who.groups)]
    # Read as root inside, as by sshd(8).
    of_login = {**who.login_variables, **system_environment("/")} if login else {}
    permitted = syscalls.permitted_capabilities()
    # Ignored signals stay ignored after an exec (execve(2)): SIGPIPE, by Python, and SIGHUP, by nohup(1).
    for number in range(1, signal.NSIG):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # With random addresses, also if the caller was started without (setarch(8)).
    syscalls.personality(0)
    os.umask(0o022)
    _give_streams(who.uid, who.gid)
    drop_bounding(confinement.bounding)
    if confinement.no_new_privileges:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    # Late, since they may be too low for the steps above; before seccomp, since a profile need not allow setting them.
    set_limits(limits)
    # While this process still has the right. The container's profile must allow all following system calls.
    load_filter.load_filters(confinement.seccomp)
    try:
        os.setgroups(all_groups)
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
        if who.uid == 0:
            syscalls.capset(capabilities.mask(confinement.bounding) & permitted)
    except OSError as error:
        raise EffectFailed(f"user {user}: {syscalls.strerror(error)}", _hint(error, confinement)) from None
    environment = {"PATH": DEFAULT_PATH, "HOME": who.home, "container": "conductor", **of_login, **dict(env)}
    try:
        if not (login and _is_entered(who.home)):
            os.chdir(to_bytes(working_dir))
    except OSError as error:
        raise EffectFailed(
            f"working directory {working_dir}: {error.strerror}",
            _hint(error, confinement, "create it in the container, or correct the path"),
        ) from None
    try:
        execute(argv, environment)
    except OSError as error:
        raise EffectFailed(
            f"{argv[0]}: {error.strerror}",
            _hint(error, confinement, "give a program in the container's file system"),
        ) from None


def _is_entered(directory: str) -> bool:
    """Change to `directory`. Returns whether that was possible."""
    try:
        os.chdir(to_bytes(directory))
    except OSError:
        return False
    return True


def _hint(error: OSError, confinement: Confinement, otherwise: str = "") -> str:
    if confinement.seccomp and error.errno in (errno.EPERM, errno.ENOSYS):
        return "check that the seccomp profile allows setgroups, setresgid, setresuid, capset, chdir and execve"
    return otherwise


def _give_streams(uid: int, gid: int) -> None:
    """Give the standard streams (pipes, the log, a terminal) to the user, who can then open /dev/stdout or the tty."""
    for fd in (0, 1, 2):
        found = os.fstat(fd)
        if uid == 0 or found.st_uid != 0:
            continue
        if stat.S_ISFIFO(found.st_mode) or stat.S_ISREG(found.st_mode):
            os.fchown(fd, uid, gid)
        elif os.isatty(fd):
            # As login(1): the group stays tty.
            os.fchown(fd, uid, -1)


def drop_bounding(keep: frozenset[str]) -> None:
    """Drop all capabilities but `keep` from the bounding set (capabilities(7)), so that no program can gain them."""
    for number in range(64):
        name = capabilities.NAMES[number] if number < len(capabilities.NAMES) else ""
        if name in keep:
            continue
        try:
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, number)
        except OSError:
            # EINVAL: the running kernel has no capability of this number.
            return
