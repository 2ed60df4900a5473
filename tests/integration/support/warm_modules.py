"""Modules without the start of a Python for each: a server that has all of them loaded forks for each call.

What runs is the module's own main(), with its parameters as Ansible gives them, in a process of its own in the
namespaces of the test host, which can be killed at any moment. A tenth of the time of a module that starts by itself.

As a program: the server, whose standard input is the socket that requests come from.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

COLLECTION = "ansible_collections.conductor.containers.plugins"
PLUGINS = Path(__file__).parents[3] / "plugins"
LONGEST = 180  # seconds; what takes longer hangs
# Threads of a test run modules, too.
STARTING = threading.Lock()
# That of mounts last: the paths of the others are those of the machine.
NAMESPACES = ("cgroup", "ipc", "uts", "net", "pid", "mnt")


@dataclass
class Done:
    """What a call has printed, and its exit status as subprocess gives it; `killed` after the time that was given."""

    stdout: str
    stderr: str
    returncode: int
    killed: bool


def run(host, entry: str, request: dict, kill_after: float | None = None) -> Done:
    """Call `entry` (a key of ENTRIES) with `request` on the host. SIGKILL after `kill_after` seconds."""
    from testhost import module_environment

    request = {
        **request, "entry": entry, "pid": host.pid, "kill_after": kill_after,
        "environment": {**os.environ, **module_environment()},
    }  # fmt: skip
    outputs = [os.pipe() for _ in range(3)]
    with open(os.memfd_create("request"), "w+b") as file:
        file.write(json.dumps(request).encode())
        file.flush()
        with STARTING:
            channel = server()
        socket.send_fds(channel, [b"x"], [file.fileno(), *(writer for _, writer in outputs)])
    for _, writer in outputs:
        os.close(writer)
    stdout, stderr, status = read_all([reader for reader, _ in outputs])
    if not status:
        raise AssertionError(f"the process that runs {entry} ended: {stderr.decode(errors='replace')}")
    return Done(stdout.decode(errors="replace"), stderr.decode(errors="replace"), **json.loads(status))


def read_all(readers: list[int]) -> list[bytes]:
    """What comes through each of the pipes until their ends; it closes them."""
    found = {reader: b"" for reader in readers}
    left = set(readers)
    while left:
        for reader in select.select(left, [], [])[0]:
            if chunk := os.read(reader, 1 << 16):
                found[reader] += chunk
            else:
                left.remove(reader)
                os.close(reader)
    return list(found.values())


@functools.cache
def server() -> socket.socket:
    """Start the server; it ends with this process."""
    from testhost import PYTHON, module_environment

    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        subprocess.Popen([PYTHON, __file__], stdin=its, env={**os.environ, **module_environment()})
    return ours


class WarmModules:
    """Modules of a host that may be killed, or have a wrong clock."""

    def __init__(self, host) -> None:
        self.host = host

    def module(
        self, module: str, /, *, check: bool = False, kill_after: float | None = None, clock: float = 0, **params
    ) -> dict | None:
        """Result of `module`, failed or not. None where it was killed (SIGKILL) after `kill_after` seconds.

        `clock` is by how many seconds its wall clock, as time.time() tells it, is wrong.
        """
        arguments = {**params, "_ansible_check_mode": check, "_ansible_diff": True}
        done = run(self.host, "module", {"module": module, "arguments": arguments, "clock": clock}, kill_after)
        if done.killed:
            assert kill_after is not None, f"{module} with {params} did not end within {LONGEST} s"
            return None
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"{module} with {params} printed no JSON: {done.stdout}{done.stderr}") from None

    def look(self) -> dict:
        """What kernel_view.look says of the host."""
        return json.loads(run(self.host, "look", {}).stdout)


def be_module(request: dict) -> None:
    """Be a run of a module."""
    from ansible.module_utils import basic

    if request["clock"]:
        right = time.time
        time.time = lambda: right() + request["clock"]
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": request["arguments"]}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    importlib.import_module(f"{COLLECTION}.modules.{request['module']}").main()


def be_look(_request: dict) -> None:
    """Print what kernel_view.look says."""
    import kernel_view

    print(json.dumps(kernel_view.look()))


def be_dying(request: dict) -> None:
    """Be a run of dying.py."""
    import dying

    dying.main(*request["arguments"])


ENTRIES = {"module": be_module, "look": be_look, "dying": be_dying}


def serve() -> None:
    """Answer requests until there are no more."""
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    preload()
    # What is there now is never collected: its pages stay shared with the children.
    gc.collect()
    gc.freeze()
    while True:
        message, fds, _, _ = socket.recv_fds(channel, 1, 4)
        if not message:
            return
        if os.fork() == 0:
            channel.close()
            answer(*fds)
            os._exit(0)
        for fd in fds:
            os.close(fd)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def preload() -> None:
    """Load all that a module could load, pyroute2 included, which modules import at the moment of need."""
    importlib.import_module("pyroute2")
    for kind in ("modules", "module_utils"):
        # Its directories have no __init__.py.
        for path in sorted((PLUGINS / kind).rglob("*.py")):
            if not path.stem.startswith("__"):
                importlib.import_module(".".join((COLLECTION, *path.relative_to(PLUGINS).with_suffix("").parts)))
    for name in ("kernel_view", "dying"):
        importlib.import_module(name)


def answer(request_fd: int, stdout: int, stderr: int, status: int) -> None:
    """In a child of the server: have a child in the host's namespaces be what is asked for; its status."""
    with open(request_fd, "rb") as file:
        file.seek(0)
        request = json.loads(file.read())
    enter(request["pid"])
    child = os.fork()
    if child == 0:
        os.close(status)
        for fd, number in ((stdout, 1), (stderr, 2)):
            os.dup2(fd, number)
            os.close(fd)
        be(request)
    os.close(stdout)
    os.close(stderr)
    pidfd = os.pidfd_open(child)
    after = request["kill_after"]
    killed = not select.select([pidfd], [], [], LONGEST if after is None else after)[0]
    if killed:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(status, json.dumps({"returncode": code, "killed": killed and code == -signal.SIGKILL}).encode())


def enter(pid: int) -> None:
    """Enter the namespaces of a process; that of pids has what is forked from here on."""
    libc = ctypes.CDLL(None, use_errno=True)
    for fd in [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in NAMESPACES]:
        if libc.setns(fd, 0):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(fd)


def be(request: dict) -> None:
    """Be what is asked for, to the end of this process."""
    status = 1
    try:
        os.environ.clear()
        os.environ.update(request["environment"])
        ENTRIES[request["entry"]](request)
        status = 0
    except SystemExit as error:
        status = error.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
