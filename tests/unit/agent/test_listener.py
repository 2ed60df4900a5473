"""The question whether a process listens at a socket is answered at once, also if that process is stopped."""

import socket
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.conductor.containers.plugins.module_utils._agent.listener import is_listening


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
