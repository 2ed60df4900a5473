"""The supervisor with few or no free descriptors."""

import contextlib
import json
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor import records, supervise
from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor.event_loop import EventLoop
from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor.first_process import (
    open_first_process,
)
from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor.helpers import fork_helper
from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor.program import (
    raise_descriptor_limit,
)
from ansible_collections.conductor.containers.plugins.module_utils._engine.paths import ContainerPaths
from ansible_collections.conductor.containers.plugins.module_utils._kernel.processes import ProcessId
from ansible_collections.conductor.containers.plugins.module_utils._kernel.syscalls import permitted_capabilities

CAP_SYS_RESOURCE = 1 << 24
FEW = ("prlimit", "--nofile=48:64")
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def run(program, *launcher):
    """The output of a Python program."""
    command = [*launcher, sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT).stdout.strip()


@contextlib.contextmanager
def few_descriptors(free):
    """Leave this process `free` descriptors."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(limits[0], 256), limits[1]))
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for fd in taken[-free:]:
            os.close(fd)
        taken = taken[:-free]
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for fd in taken:
            os.close(fd)


def ask(path, name):
    """The answer of the supervisor after its confirmation."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(60)
        client.connect(path)
        client.send(json.dumps({"verb": "state", "name": name}).encode())
        assert client.recv(1) == b"+"
        return json.loads(client.recv(65536))


def supervise_processes(listener):
    """Run a supervisor in this process, whose descriptors are limited."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    signals, _ = os.pipe()
    supervise.Supervisor(listener, signals).run()


def test_supervisor_without_a_free_descriptor_goes_on_and_refuses_clients(tmp_path, monkeypatch):
    """It ends by itself after the end of the process that it supervises."""
    states = {}

    def running_names():
        yield "one"
        with contextlib.suppress(OSError):
            while True:
                os.dup(0)
        yield "two"

    monkeypatch.setattr(records, "running_names", running_names)
    monkeypatch.setattr(records, "read_process", states.get)
    monkeypatch.setattr(supervise, "LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.setattr(supervise, "SOCKET", str(tmp_path / "socket"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener, contextlib.ExitStack() as stack:
        listener.bind(supervise.SOCKET)
        listener.listen()
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            sleep = stack.enter_context(subprocess.Popen(["sleep", "infinity"]))
            stack.callback(sleep.kill)
            state = {"pid": sleep.pid, "start_time": ProcessId.of(sleep.pid).start_time}
            states[name] = (ContainerPaths.of(str(tmp_path), name), state)
        supervisor = multiprocessing.get_context("fork").Process(target=supervise_processes, args=(listener,))
        supervisor.start()
        listener.close()
        for _ in range(2):
            told = ask(supervise.SOCKET, "one")["error"]
            assert told.startswith("the supervisor has no free descriptor (Too many open files). Stop containers, or")
        os.kill(states["one"][1]["pid"], signal.SIGKILL)
        supervisor.join(60)
    assert supervisor.exitcode == 0
    assert (tmp_path / "one/exit.json").exists() and not (tmp_path / "two/exit.json").exists()


def test_first_process_is_not_taken_for_ended_without_a_free_descriptor():
    parent = ProcessId.of(os.getppid())
    with few_descriptors(free=1), pytest.raises(OSError, match="Too many open files"):
        open_first_process(parent.pid, parent.start_time)


def test_helper_that_cannot_be_created_leaves_no_descriptor():
    """The limit of processes does not apply to root."""
    program = f"""
import os, resource
from {fork_helper.__module__} import fork_helper
os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
before = os.listdir("/dev/fd")
try:
    fork_helper(lambda: None)
except BlockingIOError:
    print(os.listdir("/dev/fd") == before)
"""
    assert run(program) == "True"


def test_descriptor_that_cannot_be_watched_is_closed(tmp_path):
    loop = EventLoop()
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(PermissionError):
        loop.add(fd, lambda: None)
    assert len(loop) == 0
    loop.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_limit_of_descriptors_is_as_high_as_this_process_may_set_it():
    program = f"""
import resource
from {raise_descriptor_limit.__module__} import raise_descriptor_limit
raise_descriptor_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    with open("/proc/sys/fs/nr_open", encoding="ascii") as file:
        most = int(file.read())
    limit = most if permitted_capabilities() & CAP_SYS_RESOURCE else 64
    assert run(program, *FEW) == f"{limit} {limit}"
