"""A task whose command has run succeeds also if no local socket can lead to the agent of its host."""

import fcntl
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible import constants
from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import no_forward_mark
from ansible_collections.conductor.containers.plugins.plugin_utils.open_agent import open_agent_socket


class Host:
    """The managed host if it is the controller: its sockets are reached by symlinks."""

    has_become = False

    def __init__(self):
        self.forwarded = []

    def forward_socket(self, there, path):
        os.symlink(there, path)
        self.forwarded.append(path)
        return True

    def cancel_forward(self, there, path):
        self.forwarded = [each for each in self.forwarded if each != path]


@pytest.fixture
def agent(tmp_path, monkeypatch):
    """The path of an agent's socket that accepts a request."""
    (tmp_path / "local").mkdir()
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "local"))
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve():
            while True:
                with listener.accept()[0] as connection:
                    connection.recv(1000)
                    connection.send(b"+")

        ThreadPoolExecutor(1).submit(serve)
        yield str(path)
        listener.shutdown(socket.SHUT_RDWR)


def test_socket_is_opened(agent, tmp_path):
    path = tmp_path / "control/socket"
    open_agent_socket(Host(), agent, str(path), "python3")
    assert os.readlink(path) == agent and not os.path.exists(no_forward_mark(str(path)))


@pytest.mark.parametrize("name", ["control/socket", "control/sockets/socket"])
def test_path_below_a_file_is_remembered(agent, tmp_path, name):
    (tmp_path / "control").touch()
    path = str(tmp_path / name)
    open_agent_socket(Host(), agent, path, "python3")
    assert os.path.exists(no_forward_mark(path))


def test_socket_that_cannot_be_renamed_is_remembered_and_closed(agent, tmp_path):
    path, host = tmp_path / "control/socket", Host()
    path.mkdir(parents=True)
    open_agent_socket(host, agent, str(path), "python3")
    assert os.path.exists(no_forward_mark(str(path)))
    assert host.forwarded == [] and os.listdir(path.parent) == ["socket"]


def test_missing_directory_for_the_mark_is_no_error(agent, tmp_path):
    (tmp_path / "local").rmdir()
    open_agent_socket(Host(), agent, str(tmp_path / "socket"), "python3")
    assert not (tmp_path / "socket").exists()


def test_another_task_that_opens_the_socket_is_not_waited_for(agent, tmp_path):
    path, host = str(tmp_path / "socket"), Host()
    with Path(f"{no_forward_mark(path)}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        opening = ThreadPoolExecutor(1).submit(open_agent_socket, host, agent, path, "python3")
        assert opening.exception(30) is None
    assert host.forwarded == [] and not os.path.exists(no_forward_mark(path))
