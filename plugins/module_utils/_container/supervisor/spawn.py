# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creation of the supervisor: forked by a module into the supervisor's cgroup, then replaced by its program."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from ..._engine import bundle
from ..._engine.locks import supervisor_lock
from ..._engine.paths import LOCK_DIR
from ..._errors import EffectFailed
from ..._kernel.flock import locked
from ..._kernel.scheduling import reset_scheduling
from ..._kernel.syscalls import new_session_keyring
from ..cgroup_paths import supervisor_cgroup
from ..error_line import error_line
from .program import block_signals, detach, exec_supervisor
from .requests import is_listening, listen

_READY = b"ready"


def spawn_supervisor(name: str, first: Callable[[], None], timeout: float) -> bool:
    """Create the supervisor of this host, whose process calls `first` before it listens. Return once it listens.

    The supervisor is not a child that anybody waits for: pid 1 adopts it as soon as the module exits. Returns False,
    and does not call `first`, if a supervisor listens already. `name` is the container that errors are about, `timeout`
    the seconds to wait for the lock. Raises EffectFailed with the error of `first`, LockTimeout, OSError.
    """
    with locked(LOCK_DIR, supervisor_lock(), timeout):
        if is_listening():
            return False
        program = bundle.current()
        status, writer = os.pipe()
        _fork(lambda: _become_supervisor(first, program, writer), writer)
        os.close(writer)
        # One line, written at once. End of file comes later, when the supervisor has executed its program.
        answer = os.read(status, 65536)
        os.close(status)
    if answer != _READY:
        message = answer.decode(errors="replace") or "the supervisor exited without an error message"
        raise EffectFailed(f"container {name} did not start: {message}")
    return True


def _fork(body: Callable[[], None], writer: int) -> None:
    """Run `body` in a child in the supervisor's cgroup. An error in it is written to `writer`."""
    cgroup = supervisor_cgroup()
    cgroup.create()
    entry = cgroup.open()
    caller = os.getpid()
    try:
        if entry.fork() == 0:
            entry.join()
            block_signals()
            os.setsid()
            reset_scheduling()
            body()
    except BaseException as error:
        if os.getpid() == caller:
            raise
        os.write(writer, error_line(error))
    finally:
        # The child must never return into the code of the module.
        if os.getpid() != caller:
            os._exit(1)
    entry.close()


def _become_supervisor(first: Callable[[], None], program: str, writer: int) -> None:
    first()
    # The supervisor must not keep keys of the user that runs the module.
    new_session_keyring()
    listener = listen()
    detach({writer, listener.fileno()})
    os.chdir("/")
    os.umask(0o022)
    # EPIPE: the module was killed meanwhile.
    with contextlib.suppress(BrokenPipeError):
        os.write(writer, _READY)
    # All descriptors are close-on-exec.
    exec_supervisor(program, listener.fileno())
