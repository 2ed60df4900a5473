# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Children of the supervisor, each for one task: start or restart of a container, or its stop.

The supervisor itself never waits: it reads a helper's error when the helper has ended. The first process that a helper
has started becomes a child of the supervisor then (PR_SET_CHILD_SUBREAPER, prctl(2)).
"""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

from ..._engine.paths import ContainerPaths
from ..._kernel import syscalls
from ..._kernel.terminate import terminate
from .program import block_signals, detach


class Helper(NamedTuple):
    """A running helper: its pid, its pidfd, and the pipe with its error, empty after success."""

    pid: int
    pidfd: int
    error: int


def fork_helper(body: Callable[[], None], keep: tuple[int, ...] = ()) -> Helper:
    """Run `body`, which needs the descriptors `keep`, in a child that ends with this process. Raises OSError."""
    reader, writer = os.pipe()
    # A helper that was killed may leave a process that still holds the other end.
    os.set_blocking(reader, False)
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if pid == 0:
        try:
            syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
            # The parent may have ended before.
            if os.getppid() == parent:
                block_signals()
                signal.set_wakeup_fd(-1)
                detach({writer, *keep})
                body()
        except BaseException as error:
            from ..error_line import error_line

            os.write(writer, error_line(error))
        finally:
            os._exit(0)
    os.close(writer)
    return Helper(pid, os.pidfd_open(pid), reader)


def load_modules_of_start() -> None:
    """Import all modules that `start` needs into this process, which takes longer than the start itself."""
    importlib.import_module(f"{__package__.rpartition('.')[0]}.start")


def start(paths: ContainerPaths, seccomp: str, client: int) -> None:
    """Start a container that a module, process `client`, has prepared in its mount namespace."""
    from ..start import launch, open_prepared
    from ..store import read_spec

    _enter_mount_namespace(client)
    spec = read_spec(paths)
    if spec is None:
        raise FileNotFoundError(2, "the container was removed", paths.spec)
    launch(paths, spec, open_prepared(paths, spec, seccomp), 0)


def restart(paths: ContainerPaths, state: dict, flaps: int) -> None:
    """Start a container again by its policy.

    `state`: its last run state; `flaps`: restarts since the last good run, including this one.
    """
    from ..._engine.settings import Settings
    from ..._network.plan.stages import AttachNetwork
    from ..._network.stages import carry_out, has_network
    from ..seccomp.filters import filter_at
    from ..start import create_network_namespace, launch, prepare
    from ..store import read_spec
    from .records import append_log_line

    settings, spec = Settings.load({"container_dir": os.path.dirname(paths.directory)}), read_spec(paths)
    if spec is None:
        return
    create_network_namespace(paths)
    if has_network(settings, paths.name):
        carry_out(settings, AttachNetwork(paths.name, spec.hostname), lambda text: append_log_line(paths.log, text))
    prepared = prepare(settings, paths, spec, filter_at(state.get("seccomp", ""), spec))
    for warning in prepared.warnings:
        append_log_line(paths.log, warning)
    launch(paths, spec, prepared, state.get("restarts", 0) + 1, flaps)


def stop(pid: int, pidfd: int, stop_signal: int, timeout: float) -> None:
    """Stop a first process; see `terminate`. Its end is seen by the supervisor."""
    terminate(pidfd, pid, stop_signal, timeout)


def _enter_mount_namespace(pid: int) -> None:
    """Enter the mount namespace of process `pid` if it is another one: the root is mounted there."""
    path = f"/proc/{pid}/ns/mnt"
    if os.readlink(path) != os.readlink("/proc/self/ns/mnt"):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        syscalls.setns(fd, syscalls.CLONE_NEWNS)
        os.close(fd)
