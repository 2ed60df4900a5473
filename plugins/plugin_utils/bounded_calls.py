# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parallel calls with limits on time and memory, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ansible.errors import AnsibleError

# Bytes of memory that a call may use in addition to the memory of this process.
_MEMORY = 512 << 20
_PIECE = 1 << 16
_RETURNED, _FAILED = b"=", b"!"


class CallFailed(Exception):
    """The call failed; the message is the reason."""


@dataclass
class _Call:
    name: str
    pid: int
    ends: float
    received: bytearray = field(default_factory=bytearray)


def bounded_calls(
    calls: dict[str, Callable[[], bytes]], *, parallel: int, timeout: float, most: int
) -> dict[str, bytes | CallFailed]:
    """Run `calls`; return the result of each by name, or the reason why it failed.

    A call returns at most `most` bytes within `timeout` seconds; otherwise it is killed with all processes of its
    session. At most `parallel` calls run at the same time.
    """
    outcomes: dict[str, bytes | CallFailed] = {}
    waiting = list(calls)
    running: dict[int, _Call] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < max(1, parallel):
                    name = waiting.pop(0)
                    fd, pid = _start(calls[name])
                    running[fd] = _Call(name, pid, time.monotonic() + timeout)
                    selector.register(fd, selectors.EVENT_READ)
                first = min(call.ends for call in running.values())
                for key, _ in selector.select(max(0.0, first - time.monotonic())):
                    call = running[key.fd]
                    part = os.read(key.fd, _PIECE)
                    call.received += part
                    if not part:
                        outcomes[call.name] = _outcome(bytes(call.received))
                    elif len(call.received) > most + 1:
                        outcomes[call.name] = CallFailed(f"the answer has more than {most} bytes")
                for call in running.values():
                    if call.name not in outcomes and call.ends <= time.monotonic():
                        outcomes[call.name] = CallFailed(f"no answer within {timeout:g} seconds")
                for fd in [fd for fd, call in running.items() if call.name in outcomes]:
                    selector.unregister(fd)
                    _end(fd, running.pop(fd))
        finally:
            for fd, call in running.items():
                _end(fd, call)
    return outcomes


def _outcome(received: bytes) -> bytes | CallFailed:
    if received.startswith(_RETURNED):
        return received[1:]
    return CallFailed(received[1:].decode(errors="replace") or "no answer")


def _start(call: Callable[[], bytes]) -> tuple[int, int]:
    """Run `call` in a new process; return the descriptor of a pipe with its result, and the pid."""
    fd, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(fd)
            # A session, so that its process group can be killed, and no child can prompt on the terminal.
            os.setsid()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            _limit_memory()
            _answer(call, its)
        finally:
            os._exit(0)
    os.close(its)
    return fd, pid


def _answer(call: Callable[[], bytes], fd: int) -> None:
    try:
        answer = _RETURNED + call()
    except AnsibleError as error:
        answer = _FAILED + str(error)[:_PIECE].encode(errors="replace")
    except MemoryError:
        answer = _FAILED + b"the answer exceeds the memory limit"
    except Exception as error:
        answer = _FAILED + f"{type(error).__name__}: {error}"[:_PIECE].encode(errors="replace")
    with open(fd, "wb") as file:
        file.write(answer)


def _limit_memory() -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        size = int(file.read().split()[0]) * resource.getpagesize() + _MEMORY
    # ValueError: a lower hard limit is already set.
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _end(fd: int, call: _Call) -> None:
    os.close(fd)
    for kill in (os.killpg, os.kill):
        # The process may have ended, or have no process group of its own yet.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(call.pid, signal.SIGKILL)
    os.waitpid(call.pid, 0)
