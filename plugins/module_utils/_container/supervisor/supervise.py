# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor: one process that waits for the first processes of all containers, records exits, and restarts them.

It is the parent of each first process, by which it gets the exit status, and the only process of this collection while
containers run. All that it knows is in run states and exit records, so that a new one continues where it was killed.
It imports as little as possible until a container is started.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import sys
import time
from collections.abc import Callable

from ..._engine.locks import supervisor_lock
from ..._engine.paths import LOCK_DIR, ContainerPaths
from ..._errors import LockTimeout
from ..._kernel import syscalls
from ..._kernel.flock import locked
from ..error_line import error_line
from . import records
from .acceptor import Acceptor
from .event_loop import EventLoop
from .first_process import is_readable, open_first_process, wait_status
from .helpers import fork_helper, load_modules_of_start, restart, start, stop
from .log_watch import LogWatch
from .policy import backoff, count, exit_record, flaps_of, has_run_well, should_restart, stop_options
from .program import (
    LISTENER_FD,
    block_signals,
    exec_supervisor,
    lower_oom_score,
    raise_descriptor_limit,
    receive_signals,
)
from .requests import ACCEPTED, LARGEST, LATER, SOCKET, Request, answer, parse_request, peer
from .supervised import Supervised

# Seconds without a request after which the modules that a start needs are unloaded, by an exec.
_IDLE = 30.0


def supervise() -> None:
    """Supervise all containers of this host until none is left. Standard input is the listening socket."""
    signals = receive_signals()
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    lower_oom_score()
    raise_descriptor_limit()
    Supervisor(socket.socket(fileno=LISTENER_FD), signals).run()


class Supervisor:
    """The event loop and its state."""

    def __init__(self, listener: socket.socket, signals: int) -> None:
        self._listener, self._acceptor = listener, Acceptor(listener)
        self._signals = signals
        self._containers: dict[str, Supervised] = {}
        self._loop = EventLoop()
        self._is_ending = False
        self._next_bundle = ""
        self._is_loaded = False
        self._last_request = time.monotonic()
        listener.setblocking(False)
        self._loop.add(listener.fileno(), self._accept)
        self._loop.add(signals, self._receive_signals)
        self._logs = LogWatch(self._loop)
        self._permanent = len(self._loop)

    def run(self) -> None:
        """Adopt the containers that run already, and serve until none is left."""
        for name in records.running_names():
            self._adopt(name)
        while not self._is_done():
            self._loop.handle(self._timeout())
            self._logs.record_due()
            self._restart_due()
            self._reap_strays()
            self._replace_program()

    def _timeout(self) -> float | None:
        """Seconds until the next restart or record, or until the program is to be executed again."""
        times = [c.restart_at for c in self._containers.values() if c.restart_at is not None]
        if (record := self._logs.next_record()) is not None:
            times.append(record)
        if self._is_loaded and not self._is_busy():
            times.append(self._last_request + _IDLE)
        return max(0.0, min(times) - time.monotonic()) if times else None

    # Requests

    def _accept(self) -> None:
        connection = self._acceptor.accept()
        if connection is not None:
            self._loop.add(connection.fileno(), lambda: self._read_request(connection))

    def _read_request(self, connection: socket.socket) -> None:
        self._loop.remove(connection.fileno())
        try:
            request = parse_request(connection.recv(LARGEST))
        except OSError:
            request = None
        pid, uid = peer(connection)
        if request is None or uid != 0:
            connection.close()
            return
        self._last_request = time.monotonic()
        with contextlib.suppress(OSError):
            if self._answers_later(request):
                connection.send(LATER)
                connection.close()
                return
            connection.send(ACCEPTED)
        self._see_exit(request.name)
        if request.verb == "start":
            self._start(request, pid, connection)
        elif request.verb == "release":
            self._release(request.name, connection)
        elif request.verb == "adopt":
            found = self._containers.get(request.name) or self._adopt(request.name)
            answer(connection, {"supervised": found is not None})
        else:
            answer(connection, {"state": self._state_of(request.name)})

    def _answers_later(self, request: Request) -> bool:
        """Whether a start has to be requested again: at the end of this process, or until another bundle replaces it.

        Also while the container is being restarted.
        """
        if request.verb != "start":
            return False
        if not self._is_ending and request.bundle != sys.argv[0]:
            self._next_bundle = request.bundle
        container = self._containers.get(request.name)
        return self._is_ending or bool(self._next_bundle) or (container is not None and container.helper is not None)

    def _state_of(self, name: str) -> str:
        container = self._containers.get(name)
        if container is None:
            return ""
        return "running" if container.pidfd is not None else "restarting"

    def _start(self, request: Request, client: int, connection: socket.socket) -> None:
        old = self._containers.get(request.name)
        if old is not None and old.pidfd is not None:
            # Its restart policy has started it at the same time.
            answer(connection, {})
            return
        # In this process, so that the helpers of later starts have the modules already.
        load_modules_of_start()
        self._is_loaded = True
        paths = ContainerPaths.of(request.container_dir, request.name)
        container = self._containers[request.name] = Supervised(paths, {})
        container.waiting.append(connection)
        self._help(container, lambda: start(paths, request.seccomp, client), self._has_started)

    def _has_started(self, container: Supervised, error: str) -> None:
        name = container.paths.name
        del self._containers[name]
        if not error and self._adopt(name) is None:
            error = "its run state is lost"
        for connection in container.waiting:
            answer(connection, {"error": error})

    def _release(self, name: str, connection: socket.socket) -> None:
        container = self._containers.get(name)
        if container is None:
            answer(connection, {})
            return
        container.waiting.append(connection)
        container.is_released = True
        container.restart_at = None
        if container.pidfd is None and container.helper is None:
            self._forget(container)

    # Containers

    def _adopt(self, name: str) -> Supervised | None:
        """Supervise a container by its run state; return it, or None if it has ended and is not to be restarted."""
        found = records.read_process(name)
        if found is None:
            return None
        try:
            return self._adopt_process(name, *found)
        except Exception as error:
            # No error about one container may end the supervision of all others.
            container = self._containers.pop(name, None)
            if container is not None and container.pidfd is not None:
                self._loop.close(container.pidfd)
            records.append_log_line(found[0].log, f"the container is not supervised: {error_line(error).decode()}")
            return None

    def _adopt_process(self, name: str, paths: ContainerPaths, state: dict) -> Supervised | None:
        container = self._containers[name] = Supervised(paths, state, flaps=flaps_of(state))
        pidfd = open_first_process(state["pid"], state["start_time"])
        if pidfd is not None:
            container.pidfd = pidfd
            self._loop.add(pidfd, lambda: self._has_ended(container))
            self._logs.begin(paths)
            if self._is_ending:
                self._stop(container)
            return container
        record = records.read_exit(paths)
        if record is None or not records.is_of_run(record, state):
            record = self._write_exit(container, None)
        self._after_exit(container, records.status_in(record))
        return self._containers.get(name)

    def _see_exit(self, name: str) -> None:
        """Handle the end of the first process of a container now, if it has ended, before a request is answered."""
        container = self._containers.get(name)
        if container is not None and container.pidfd is not None and is_readable(container.pidfd):
            self._has_ended(container)

    def _has_ended(self, container: Supervised) -> None:
        pidfd, container.pidfd = container.pidfd, None
        if pidfd is None:
            return
        status = wait_status(pidfd)
        self._loop.close(pidfd)
        self._logs.end(container.paths.name)
        self._write_exit(container, status)
        if has_run_well(container.state, time.monotonic()):
            container.flaps = 0
        self._after_exit(container, status)

    def _write_exit(self, container: Supervised, status: int | None) -> dict:
        oom_killed = records.was_oom_killed(container.state)
        record = exit_record(container.state, status, oom_killed, time.time())
        records.write_record(container.paths.exit, record)
        if oom_killed:
            text = "the kernel has killed a process inside for lack of memory (option memory)"
            records.append_log_line(container.paths.log, text)
        return record

    def _after_exit(self, container: Supervised, status: int | None) -> None:
        """Plan the restart of a container whose first process has ended, or forget it."""
        spec = records.read_spec(container.paths)
        if self._is_ending or container.is_released or not should_restart(spec, status, container.flaps):
            if container.helper is None:
                self._forget(container)
            return
        container.restart_at, container.status = time.monotonic() + backoff(container.flaps), status

    def _forget(self, container: Supervised) -> None:
        self._containers.pop(container.paths.name, None)
        for connection in container.waiting:
            answer(connection, {})

    # Helpers

    def _help(
        self,
        container: Supervised,
        body: Callable[[], None],
        done: Callable[[Supervised, str], None],
        keep: tuple[int, ...] = (),
    ) -> None:
        """Run `body` in a helper; call `done` with its error, "" after success, when it has ended."""
        try:
            helper = fork_helper(body, keep)
        except OSError as error:
            done(container, f"no process can be created ({error.strerror})")
            return
        container.helper = helper

        def ended() -> None:
            container.helper = None
            text = ""
            with contextlib.suppress(BlockingIOError):
                text = os.read(helper.error, LARGEST).decode(errors="replace")
            os.close(helper.error)
            self._loop.close(helper.pidfd)
            _, status = os.waitpid(helper.pid, 0)
            if not text and status:
                text = f"its helper ended early (status {os.waitstatus_to_exitcode(status)})"
            done(container, text)

        self._loop.add(helper.pidfd, ended)

    def _restart_due(self) -> None:
        now = time.monotonic()
        for container in list(self._containers.values()):
            if container.restart_at is None or container.restart_at > now:
                continue
            container.restart_at = None
            # Its policy may have changed meanwhile.
            spec = records.read_spec(container.paths)
            if self._is_ending or not should_restart(spec, container.status, container.flaps):
                self._forget(container)
                continue
            container.flaps += 1
            paths, state, flaps = container.paths, container.state, container.flaps
            self._help(container, functools.partial(restart, paths, state, flaps), self._has_restarted)

    def _has_restarted(self, container: Supervised, error: str) -> None:
        old, flaps, released = container.state, container.flaps, container.is_released
        if error:
            again = f"next try in {backoff(flaps):g} s if the policy allows it"
            records.append_log_line(container.paths.log, f"restart failed: {error}; {again}")
            # A failed restart counts as a short run, also for the next supervisor.
            container.state = {**old, "steady": count(old, "restarts") - flaps}
            if not released:
                records.write_record(container.paths.run_state, container.state)
            self._after_exit(container, container.status)
            return
        waiting, name = container.waiting, container.paths.name
        del self._containers[name]
        adopted = self._adopt(name)
        if adopted is None:
            for connection in waiting:
                answer(connection, {})
            return
        adopted.waiting, adopted.is_released = waiting, released
        spec = records.read_spec(container.paths)
        if released or spec.get("wanted") != "running":
            # Stopped by a user while it was restarted.
            self._stop(adopted)

    def _stop(self, container: Supervised) -> None:
        """Stop a running container by the options in its spec. Without a spec it is killed at once."""
        pidfd, pid = container.pidfd, container.state["pid"]
        if pidfd is None or container.helper is not None:
            return
        # Read now, since both can change while it runs.
        stop_signal, timeout = stop_options(records.read_spec(container.paths))
        self._help(container, lambda: stop(pid, pidfd, stop_signal, timeout), self._has_stopped, (pidfd,))

    def _has_stopped(self, container: Supervised, _error: str) -> None:
        if container.pidfd is None:
            self._forget(container)

    # Signals and the end of this process

    def _receive_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if signal.SIGTERM in os.read(self._signals, 4096) and not self._is_ending:
                self._is_ending = True
                for container in list(self._containers.values()):
                    if container.pidfd is not None:
                        self._stop(container)
                    elif container.helper is None:
                        self._forget(container)

    def _reap_strays(self) -> None:
        """Wait for ended children that are neither helpers nor first processes, as those that a killed helper left."""
        if any(container.helper for container in self._containers.values()):
            return
        known = {container.state["pid"] for container in self._containers.values() if container.pidfd is not None}
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None or found.si_pid in known:
                return
            os.waitpid(found.si_pid, 0)

    def _is_busy(self) -> bool:
        """Whether a client or a helper must be served by this program."""
        return len(self._loop) > self._permanent + sum(c.pidfd is not None for c in self._containers.values())

    def _replace_program(self) -> None:
        """Execute another bundle if a request needs it, or this one if the loaded modules are not needed any more."""
        is_idle = self._is_loaded and time.monotonic() >= self._last_request + _IDLE
        if self._is_ending or self._is_busy() or not (self._next_bundle or is_idle):
            return
        program, self._next_bundle = self._next_bundle or sys.argv[0], ""
        self._last_request = time.monotonic()
        if os.path.isfile(os.path.join(program, "__main__.py")):
            block_signals()
            exec_supervisor(program, self._listener.fileno())

    def _is_done(self) -> bool:
        """Whether nothing is left. Then no client can connect any more."""
        if self._containers or len(self._loop) > self._permanent:
            return False
        try:
            with locked(LOCK_DIR, supervisor_lock(), 0):
                if is_readable(self._listener.fileno()):
                    return False
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(SOCKET)
                self._listener.close()
                return True
        except LockTimeout:
            # A module is about to connect; it sends a request, or it lets go of the lock.
            time.sleep(0.01)
            return False
