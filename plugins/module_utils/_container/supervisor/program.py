# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor as a program: how it is executed, what it inherits, and which signals it receives."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys

from ..._kernel.descriptors import close_other_descriptors

# The listening socket of the supervisor, kept across an exec. Standard input, since it needs none.
LISTENER_FD = 0
_PYTHON = "/usr/bin/python3"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HANDLED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def detach(keep: set[int]) -> None:
    """Close all inherited descriptors except `keep`, locks among them, and open /dev/null as 0, 1 and 2."""
    close_other_descriptors(keep)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def exec_supervisor(bundle: str, listener: int) -> None:
    """Execute the supervisor of the bundle in the directory `bundle`. Never returns. Raises OSError.

    The process keeps its children, its pending signals and `listener`, and gets a new environment. It runs with this
    interpreter, or with /usr/bin/python3 if an upgrade has removed it.
    """
    if listener != LISTENER_FD:
        os.dup2(listener, LISTENER_FD)
    environment = {"PATH": _PATH, "HOME": "/root"}
    for python in (sys.executable, _PYTHON):
        try:
            os.execve(python, [python, "-I", "-S", bundle, "supervise"], environment)
        except FileNotFoundError:
            if python == _PYTHON:
                raise


def block_signals() -> None:
    """Block signals until `receive_signals`: they stay pending across an exec (execve(2)).

    Otherwise they could end a supervisor that is starting a container, which would then run without one.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)


def receive_signals() -> int:
    """Unblock signals; return a descriptor from which the numbers of SIGTERM and SIGCHLD are read, one byte each.

    SIGHUP and SIGINT are ignored. Python runs handlers between its instructions, so a handler alone would miss a
    signal right before a wait.
    """
    for signum in (signal.SIGHUP, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for signum in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(signum, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    return reader


def lower_oom_score() -> None:
    """Make this process one of the last that the OOM killer kills, since it restarts a container that was killed.

    As conmon and containerd's shim do. Not -1000, which is never, since a host without memory could not recover then. A
    first process that it starts sets its own value.
    """
    # OSError: root without CAP_SYS_RESOURCE. Its small size still makes it an unlikely target.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("-999")


def raise_descriptor_limit() -> None:
    """Allow as many descriptors as possible: one for each container. Containers have limits of their own."""
    with open("/proc/sys/fs/nr_open", encoding="ascii") as file:
        most = int(file.read())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Above the hard limit only with CAP_SYS_RESOURCE.
    for limit in (most, hard):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            return
