"""The server loop, and the question whether a process listens at a socket."""

import os
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.conductor.containers.plugins.module_utils._agent.listener import (
    is_listening,
    listen,
    serve,
)


def test_full_queue_of_a_listener_is_not_waited_for(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(path)
        assert not is_listening(path)
        listener.listen(0)
        assert is_listening(path)
        # Accepts the connection of the probe, which has ended, and leaves the one place to `waiting`.
        listener.accept()[0].close()
        waiting.connect(path)
        # A thread that waits for good ends with the listener.
        assert ThreadPoolExecutor(1).submit(is_listening, path).result(30)


def test_modules_that_an_answer_imports_are_there_for_a_later_one(tmp_path, monkeypatch):
    (tmp_path / "imported_late.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    def answer(connection, _request):
        connection.sendall(b"again" if "imported_late" in sys.modules else b"first")
        __import__("imported_late")

    path = str(tmp_path / "socket")
    listener = listen(path, os.geteuid())
    server = os.fork()
    if not server:
        serve(listener, lambda _connection, request: request, answer)
        os._exit(0)
    try:
        assert _ask(path) == b"first"
        # The server may be asked before it has the names of the modules.
        assert any(_ask(path) == b"again" for _ in range(100))
    finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)


def _ask(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(path)
        client.sendall((4).to_bytes(4, "big") + b"verb")
        return client.recv(16)
