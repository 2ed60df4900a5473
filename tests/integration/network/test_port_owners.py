"""Owners of the host's ports: found whatever processes do with their descriptors, and not searched in containers."""

import json

import pytest
from testhost import PYTHON, module_environment

# A child has the only listening socket, and does `act` with it.
SEARCH = """
import json, os, resource, socket, sys
from ansible_collections.conductor.containers.plugins.module_utils._kernel.listening_ports import find_listeners

act, times = sys.argv[1], int(sys.argv[2])
listening = socket.create_server(("127.0.0.1", 8080))
ready, said = os.pipe()
if not (pid := os.fork()):
    if act == "leave":
        import ctypes
        assert ctypes.CDLL(None).unshare(0x40000000) == 0  # CLONE_NEWNET
    if act == "open many":
        resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
        many = [os.open("/dev/null", os.O_RDONLY) for _ in range(15_000)]
        first, last = listening.detach(), many[-1]
        os.dup2(first, last)
        os.close(first)
    os.write(said, b"x")
    while True:
        opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(200 if act == "close often" else 0)]
        for fd in opened:
            os.close(fd)
        if not opened:
            os.read(os.pipe()[0], 1)
listening.close()
os.read(ready, 1)
found = [find_listeners([("tcp", 8080, 8080)]) for _ in range(times)]
os.kill(pid, 9)
print(json.dumps([pid, found]))
"""


@pytest.mark.parametrize(
    ("act", "times", "named"),
    [("nothing", 1, True), ("close often", 50, True), ("leave", 1, False), ("open many", 1, False)],
)
def test_owner_of_a_port_is_found_within_limits(bare_host, act, times, named):
    """Otherwise processes in a container that share many descriptors would make the search endless."""
    printed = bare_host.run(PYTHON, "-c", SEARCH, act, str(times), env=module_environment()).stdout
    pid, found = json.loads(printed)
    for listeners in found:
        ((protocol, address, port, process),) = listeners
        assert (protocol, address, port) == ("tcp", "127.0.0.1", 8080)
        assert process.endswith(f" (pid {pid})") if named else process == ""
