# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor: waits for the first process, writes down how it ended, and starts it again where its policy says so.

A host that shuts down sends SIGTERM to every process: then it stops the container, and nothing is started again.

A process of its own, and all that stays of us while a container runs: it imports as little as it can.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

from ..._kernel.terminate import ask_to_end

# With these and no more, nothing here needs a library beyond the standard one.
_BACKOFF_FIRST, _BACKOFF_MOST = 0.1, 60.0
# A run as long as this counts as a good one: pauses and retries begin anew (as docker's do).
_GOOD_RUN = 10.0
_PYTHON = "/usr/bin/python3"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HELD = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def supervise(container_dir: str, name: str) -> None:
    """Watch over container `name` until it has ended for good, or begins its next life."""
    request = _hear_signals()
    _be_killed_last()
    directory = os.path.join(container_dir, name)
    # As in _engine/paths.py, which is not imported for its cost: a supervisor stays for each container.
    state = _read(f"/run/conductor/containers/{name}.json")
    if state is None or not all(_is_number(state.get(key)) for key in ("pid", "start_time")):
        return
    spec_path = os.path.join(directory, "container.json")
    # Starts since it has run well.
    flaps = _count(state, "restarts") - _count(state, "steady")
    if state.get("failed"):
        # A restart of which nothing came: as a life that was short.
        code: int | None = 1
    else:
        code = _watch(state["pid"], state["start_time"], spec_path, request)
        if _has_run_well(state):
            flaps = 0
        _write(os.path.join(directory, "exit.json"), _ending(state, code))
        _name_lack_of_memory(state, os.path.join(directory, "console.log"))
    spec = _read(spec_path)
    if spec is None or not wants_restart(spec, code, flaps):
        return
    # At once where it has come before: it is never read.
    if _wait({request}, backoff(flaps)):
        return
    spec = _read(spec_path)
    # What comes from now on waits for the container's next life.
    hold_signals()
    if spec is not None and spec.get("wanted") == "running" and not _wait({request}, 0):
        exec_bundle(sys.argv[0], "start", container_dir, name, str(flaps + 1))


def _has_run_well(state: dict) -> bool:
    """Whether that life was long enough for the next one to begin with a clean record (seconds since the boot)."""
    return _is_number(state.get("began")) and time.monotonic() - state["began"] >= _GOOD_RUN


def _ending(state: dict, code: int | None) -> dict:
    """How a life ended, and which one: that of the process in the run state."""
    return {
        "version": 1,
        "pid": state["pid"],
        "start_time": state["start_time"],
        "exit_code": None if code is None else (code if code >= 0 else 128 - code),
        "signal": -code if code is not None and code < 0 else None,
        "oom_killed": _has_lacked_memory(state),
        "finished_at": time.time(),
    }


def oom_kills(path: str) -> int:
    """How many processes of a cgroup the kernel has ended for lack of memory; `path` is the file that counts them.

    memory.events in version 2, memory.oom_control in version 1.
    """
    try:
        with open(path, "rb") as file:
            return next((int(line.split()[1]) for line in file if line.startswith(b"oom_kill ")), 0)
    except (OSError, ValueError):
        return 0


def _has_lacked_memory(state: dict) -> bool:
    return oom_kills(str(state.get("oom_file", ""))) > _count(state, "oom_kills")


def _name_lack_of_memory(state: dict, log: str) -> None:
    if _has_lacked_memory(state):
        write_log(log, "the kernel has ended a process inside for lack of memory (option memory)")


def write_log(path: str, text: str) -> None:
    """Add a line of ours to a container's log."""
    try:
        # Those inside have it open, and may hold a lease on it: then this fails at once (fcntl(2)).
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"conductor: {time.strftime('%FT%TZ', time.gmtime())} {text}\n")
    except OSError:
        # A full disk, say: there is nobody else to tell.
        pass


def exec_bundle(directory: str, *arguments: str) -> None:
    """Replace the process by the bundle in `directory`, with nothing of the caller's environment. Never returns.

    By this interpreter, or where an upgrade has taken it away by the host's. Raises OSError.
    """
    environment = {"PATH": _PATH, "HOME": "/root"}
    for python in (sys.executable, _PYTHON):
        try:
            os.execve(python, [python, "-I", "-S", directory, *arguments], environment)
        except FileNotFoundError:
            if python == _PYTHON:
                raise


def hold_signals() -> None:
    """Have signals wait until `supervise` hears them: blocked, they stay pending through an exec (execve(2)).

    Or they would end a supervisor that is about to start its container, which would go on alone.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)


def _hear_signals() -> int:
    """A descriptor that is readable for good as soon as SIGTERM has come. The end of a terminal is nothing to us.

    Python's own handlers run between its instructions: what came right before a wait would be seen after it.
    """
    for signum in (signal.SIGHUP, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    return reader


def wants_restart(spec: dict, code: int | None, flaps: int) -> bool:
    """Whether the restart policy in `spec` starts it again after an exit with `code` (negative: killed by that signal).

    `flaps`: how often it was started again since it has run well.

    A container that was stopped on purpose is not started again, whatever its policy.
    """
    if spec.get("wanted") != "running":
        return False
    policy, retries = spec.get("restart_policy"), spec.get("restart_retries", 0)
    if policy == "always":
        return True
    limited = _is_number(retries) and retries > 0
    return policy == "on-failure" and code != 0 and (not limited or flaps < retries)


def backoff(flaps: int) -> float:
    """Seconds to wait before the next start: doubled each time up to a minute, so that a crash loop costs little."""
    return min(_BACKOFF_FIRST * 2 ** min(flaps, 20), _BACKOFF_MOST)


def _be_killed_last() -> None:
    """Where memory is short: it has little of it, and who would start the container again when that was killed?

    As conmon and containerd's shim do. Not -1000, which is never: then a host without memory could not go on. A first
    process that it starts again sets its own.
    """
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("-999")
    except OSError:
        # A root without CAP_SYS_RESOURCE; what is left is its small size.
        pass


def _watch(pid: int, start_time: int, spec_path: str, request: int) -> int | None:
    """Wait until the first process has ended, and end it as soon as `request` is readable.

    Its exit status as subprocess gives it; None where it was not our child (adopted).
    """
    pidfd = _open(pid, start_time)
    if pidfd is not None:
        if pidfd not in _wait({pidfd, request}):
            # As they are by now: both may change while it runs. Without a spec it is killed, as by `stop`.
            spec = _read(spec_path) or {}
            stop_signal, timeout = spec.get("stop_signal", signal.SIGTERM), spec.get("stop_timeout", 0)
            if not (_is_number(stop_signal) and 0 < stop_signal < signal.NSIG and _is_number(timeout)):
                stop_signal, timeout = signal.SIGTERM, 0
            ask_to_end(pidfd, pid, stop_signal, timeout)
            _wait({pidfd})
        os.close(pidfd)
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status)


def _open(pid: int, start_time: int) -> int | None:
    """A pidfd of the first process; None where that has ended, and so its pid is another's perhaps (it was adopted)."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # Looked at now that the descriptor holds it (start time: field 22 of proc(5)).
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
    """Those that are readable, as soon as one is; none after `seconds`. A pidfd is when its process has ended."""
    readable, _, _ = select.select(descriptors, (), (), seconds)
    return set(readable)


def _count(state: dict, name: str) -> int:
    return int(state[name]) if _is_number(state.get(name)) else 0


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _read(path: str) -> dict | None:
    """The JSON object in a file of ours; None where there is none, or it is damaged: there is nobody here to tell."""
    try:
        with open(path, "rb") as file:
            value = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _write(path: str, value: dict) -> None:
    temporary = f"{path}.tmp"
    try:
        with open(temporary, "w", encoding="ascii") as file:
            json.dump(value, file)
        os.rename(temporary, path)
    except OSError:
        # A full disk, or a container that was removed meanwhile: there is nobody here to tell.
        pass
