"""Messages of the client are told apart from output of the command and of ssh in the same stream."""

import os
import select
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils import agent_client
from ansible_collections.conductor.containers.plugins.plugin_utils import perl_client as client
from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import NotRun

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the client requires root")


@pytest.fixture
def one(monkeypatch):
    monkeypatch.setattr(client, "agent_paths", lambda: ("/program", "/socket"))
    return client.Client(["box", "root", "true"], "/usr/bin/python3")


def said(one, text):
    """As it comes from a host where ssh tells what it does: the command before it, and more behind."""
    token = one.token
    return f"debug1: Sending command: {one.command}\n\n{token}{text}{token}\ndebug2: channel 2: is dead\n".encode()


def test_message_of_the_client_is_found_between_output_of_ssh(one):
    with pytest.raises(client.BundleMissing):
        one.outcome(125, b"", said(one, "?"))
    with pytest.raises(NotRun, match=r"^container box does not exist$"):
        one.outcome(125, b"", said(one, "!container box does not exist"))
    status, _, stderr = one.outcome(125, b"", b"of the command" + said(one, "=255"))
    assert status == 255 and one.token + "=" not in stderr.decode() and stderr.startswith(b"of the command")


def test_exit_status_of_the_command_is_not_a_message(one):
    assert one.outcome(125, b"out", b"err") == (125, b"out", b"err")
    assert one.outcome(3, b"", said(one, "?")) == (3, b"", said(one, "?"))


@pytest.fixture
def listener(tmp_path, monkeypatch):
    """A listening socket, at which nothing answers by itself; clients wait a second for an agent."""
    monkeypatch.setattr(agent_client, "ACCEPT_TIMEOUT", 1)
    monkeypatch.setattr(client, "agent_paths", lambda: ("/program", str(tmp_path / "socket")))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(0)
        yield listener


def ask():
    one = client.Client(["own", "box", "root", "true"], "/usr/bin/python3")
    done = subprocess.run(["sh", "-c", one.command], capture_output=True, check=False, timeout=60)
    return one.outcome(done.returncode, done.stdout, done.stderr)


@needs_root
@pytest.mark.parametrize("queue_is_full", [False, True])
def test_stopped_agent_is_reported(listener, queue_is_full):
    with socket.socket(socket.AF_UNIX) as waiting:
        if queue_is_full:
            waiting.connect(listener.getsockname())
        with pytest.raises(NotRun, match=r"the agent does not answer\. Kill it: pkill -KILL -f "):
            ask()


@pytest.mark.parametrize("queue_is_full", [False, True])
def test_stopped_agent_accepts_nothing_over_a_local_socket(listener, queue_is_full):
    with socket.socket(socket.AF_UNIX) as waiting:
        if queue_is_full:
            waiting.connect(listener.getsockname())
        # A thread that waits for good ends with the listener.
        request = ThreadPoolExecutor(1).submit(agent_client.send_request, listener.getsockname(), [])
        with pytest.raises(agent_client.NotAccepted):
            request.result(30)


@needs_root
def test_accepted_command_may_take_longer(listener):
    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(b"+")
            # Readable before that only if the client has gone.
            select.select([connection], [], [], 1.5)
            connection.sendall(b"7")

    threading.Thread(target=serve, daemon=True).start()
    assert ask() == (7, b"", b"")
