# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor: waits for the first process, writes its exit record, and restarts it if its policy says so.

On SIGTERM, which a host that shuts down sends to every process, it stops the container and does not restart it.

It is the only process of this collection while a container runs, one for each container: it imports as little as
possible.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time

from ..._kernel.files.atomic_write import write_atomic
from ..._kernel.terminate import terminate

# Seconds before the first restart, and at most.
_BACKOFF_FIRST, _BACKOFF_MAX = 0.1, 60.0
# Seconds after which a run counts as good: pauses and retries begin anew, as in docker.
_GOOD_RUN = 10.0
_PYTHON = "/usr/bin/python3"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HANDLED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def supervise(container_dir: str, name: str) -> None:
    """Supervise container `name` until it has exited and is not restarted, or execute its restart."""
    request = _receive_signals()
    _lower_oom_score()
    directory = os.path.join(container_dir, name)
    # As in _engine/paths.py, which is not imported to save memory in each supervisor.
    state = _read(f"/run/conductor/containers/{name}.json")
    if state is None or not all(_is_number(state.get(key)) for key in ("pid", "start_time")):
        return
    spec_path = os.path.join(directory, "container.json")
    # Restarts since the last good run.
    flaps = _count(state, "restarts") - _count(state, "steady")
    if state.get("failed"):
        # A failed restart counts as a short run.
        code: int | None = 1
    else:
        code = _watch(state["pid"], state["start_time"], spec_path, request)
        if _has_run_well(state):
            flaps = 0
        _write(os.path.join(directory, "exit.json"), _ending(state, code))
        _log_oom_kill(state, os.path.join(directory, "console.log"))
    spec = _read(spec_path)
    if spec is None or not should_restart(spec, code, flaps):
        return
    # Returns at once after an earlier signal, since the descriptor is never read.
    if _wait({request}, backoff(flaps)):
        return
    spec = _read(spec_path)
    # Signals from now on are handled after the restart.
    block_signals()
    if spec is not None and spec.get("wanted") == "running" and not _wait({request}, 0):
        exec_bundle(sys.argv[0], "start", container_dir, name, str(flaps + 1))


def _has_run_well(state: dict) -> bool:
    """Whether the run has lasted for at least _GOOD_RUN seconds (`began` is in seconds since boot)."""
    return _is_number(state.get("began")) and time.monotonic() - state["began"] >= _GOOD_RUN


def _ending(state: dict, code: int | None) -> dict:
    """The exit record of the run in `state`."""
    return {
        "version": 1,
        "pid": state["pid"],
        "start_time": state["start_time"],
        "exit_code": None if code is None else (code if code >= 0 else 128 - code),
        "signal": -code if code is not None and code < 0 else None,
        "oom_killed": _was_oom_killed(state),
        "finished_at": time.time(),
    }


def oom_kills(path: str) -> int:
    """Number of processes of a cgroup that the OOM killer has killed, from the file at `path`.

    The file is memory.events in version 2, memory.oom_control in version 1.
    """
    try:
        with open(path, "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(b"oom_kill ")), 0)
    except (OSError, ValueError):
        return 0


def _was_oom_killed(state: dict) -> bool:
    return oom_kills(str(state.get("oom_file", ""))) > _count(state, "oom_kills")


def _log_oom_kill(state: dict, log: str) -> None:
    if _was_oom_killed(state):
        append_log_line(log, "the kernel has killed a process inside for lack of memory (option memory)")


def append_log_line(path: str, text: str) -> None:
    """Append a line to a container's log. Errors are ignored."""
    try:
        # A process inside may hold a lease on the log: O_NONBLOCK makes this fail at once (fcntl(2)).
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"conductor: {time.strftime('%FT%TZ', time.gmtime())} {text}\n")
    except OSError:
        # For instance a full disk; a supervisor has no other place to report it.
        pass


def exec_bundle(directory: str, *arguments: str) -> None:
    """Execute the bundle in `directory` with a new environment. Never returns. Raises OSError.

    Uses this interpreter, or /usr/bin/python3 if an upgrade has removed it.
    """
    environment = {"PATH": _PATH, "HOME": "/root"}
    for python in (sys.executable, _PYTHON):
        try:
            os.execve(python, [python, "-I", "-S", directory, *arguments], environment)
        except FileNotFoundError:
            if python == _PYTHON:
                raise


def block_signals() -> None:
    """Block signals until `supervise` receives them: they stay pending across an exec (execve(2)).

    Otherwise they could end a supervisor that is starting its container, which would then run without one.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)


def _receive_signals() -> int:
    """Unblock signals; return a descriptor that becomes readable, and stays so, on SIGTERM. Ignores SIGHUP and SIGINT.

    Python runs handlers between its instructions, so a handler alone would miss a signal right before a wait.
    """
    for signum in (signal.SIGHUP, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    return reader


def should_restart(spec: dict, code: int | None, flaps: int) -> bool:
    """Whether the restart policy in `spec` restarts the container after an exit with `code` (negative: a signal).

    `flaps`: restarts since the last good run. A container that was stopped by a user is never restarted.
    """
    if spec.get("wanted") != "running":
        return False
    policy, retries = spec.get("restart_policy"), spec.get("restart_retries", 0)
    if policy == "always":
        return True
    limited = _is_number(retries) and retries > 0
    return policy == "on-failure" and code != 0 and (not limited or flaps < retries)


def backoff(flaps: int) -> float:
    """Seconds to wait before the next restart: doubled each time up to a minute, so that a crash loop costs little."""
    return min(_BACKOFF_FIRST * 2 ** min(flaps, 20), _BACKOFF_MAX)


def _lower_oom_score() -> None:
    """Make this process one of the last that the OOM killer kills, since it restarts a container that was killed.

    As conmon and containerd's shim do. Not -1000, which is never, since a host without memory could not recover then. A
    first process that it restarts sets its own value.
    """
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("-999")
    except OSError:
        # Root without CAP_SYS_RESOURCE: its small size still makes it an unlikely target.
        pass


def _watch(pid: int, start_time: int, spec_path: str, request: int) -> int | None:
    """Wait until the first process has ended; stop it as soon as `request` is readable.

    Returns its exit status (negative: a signal), or None if it is not a child of this process (new supervisor).
    """
    pidfd = open_first_process(pid, start_time)
    if pidfd is not None:
        if pidfd not in _wait({pidfd, request}):
            # Read now, since both can change while it runs. Without a spec it is killed at once, as by `stop`.
            spec = _read(spec_path) or {}
            stop_signal, timeout = spec.get("stop_signal", signal.SIGTERM), spec.get("stop_timeout", 0)
            if not (_is_number(stop_signal) and 0 < stop_signal < signal.NSIG and _is_number(timeout)):
                stop_signal, timeout = signal.SIGTERM, 0
            terminate(pidfd, pid, stop_signal, timeout)
            _wait({pidfd})
        os.close(pidfd)
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status)


def open_first_process(pid: int, start_time: int) -> int | None:
    """A pidfd of the first process; None if it has ended, after which its pid may belong to another process."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # Checked while the descriptor holds the process (start time: field 22 of proc(5)).
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            same = int(file.read().rpartition(b")")[2].split()[19]) == start_time
    except OSError:
        same = False
    if same:
        return pidfd
    os.close(pidfd)
    return None


def _wait(descriptors: set[int], seconds: float | None = None) -> set[int]:
    """Wait for readable descriptors and return them, none after `seconds`. A pidfd is readable if its process ended."""
    readable, _, _ = select.select(descriptors, (), (), seconds)
    return set(readable)


def _count(state: dict, name: str) -> int:
    return int(state[name]) if _is_number(state.get(name)) else 0


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _read(path: str) -> dict | None:
    """The JSON object in a state file; None if it is missing or damaged, which a supervisor cannot report."""
    try:
        with open(path, "rb") as file:
            value = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _write(path: str, value: dict) -> None:
    # OSError: a full disk, or a container that was removed meanwhile; a supervisor cannot report it.
    with contextlib.suppress(OSError):
        write_atomic(path, json.dumps(value).encode())
