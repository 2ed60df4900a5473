"""Requests to the agent over the protocol of a controller, with relayed streams."""

import contextlib
import fcntl
import json
import os
import re
import socket
import sys
import termios
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils import agent_client as stream
from entry_server import EntryServer
from seams import build_command, build_environment
from seams.audits import audit_from_setns, audit_until_answer, list_descriptors_before
from seams.interference import import_before
from waiting import until

# Matches the command lines of the agent's processes.
SERVE = "lib/[0-9a-f]* serve"
RUN = "/var/lib/conductor/containers/box/rootfs/run"


@pytest.fixture
def server(host):
    host.module("conductor_container", name="box", image="debian", command=["/bin/sleep", "infinity"])
    return EntryServer(host)


def test_large_input_and_output_at_the_same_time(server):
    data = os.urandom(50 << 20)
    assert server.run("cat", data) == (0, data, b"")


def test_command_need_not_read_its_input(server):
    data = bytes(50 << 20)
    assert server.run("echo out; echo err >&2; exit 3", data) == (3, b"out\n", b"err\n")
    assert server.run("exec <&-; echo out", data) == (0, b"out\n", b"")


def test_a_command_reads_on_when_it_has_closed_its_output(server):
    server.run("exec >&- 2>&-; cat > /run/file", bytes(1 << 20))
    assert server.run("stat -c %s /run/file")[1] == b"1048576\n"


def test_background_writers_are_waited_for(server):
    """As ssh does."""
    leave = "mkfifo /run/fifo; (read line < /run/fifo; echo $line) & touch /run/left; exit 3"
    with ThreadPoolExecutor() as pool:
        done = pool.submit(server.run, leave)
        until(lambda: server.exists("left"), "the command has ended, or is about to")
        server.host.run("sh", "-c", f"echo late > {RUN}/fifo")
        assert done.result() == (3, b"late\n", b"")


def test_command_runs_only_after_the_client_confirms(server):
    server.ask("touch /run/ran").close()
    until(lambda: len(workers(server.host)) == 0, "nobody serves it any more")
    assert not server.exists("ran")


def test_command_goes_on_after_the_client_disconnects(server):
    asked = server.ask("touch /run/begun; cat; while [ ! -e /run/go-on ]; do sleep 0.1; done; touch /run/done")
    # What does not come any more: its input has an end all the same.
    asked.sendall((100).to_bytes(8, "big"))
    until(lambda: server.exists("begun"), "it runs")
    asked.close()
    until(lambda: len(workers(server.host)) == 1, "only who waits for it is left")
    (worker,) = workers(server.host)
    looked_at = [f"/proc/{pid}/ns/*" for pid in ("self", worker)]
    of_host, of_worker = (server.host.run("sh", "-c", f"readlink {path}").stdout for path in looked_at)
    assert of_host == of_worker, "it holds nothing of the container's in use"
    server.host.run("touch", f"{RUN}/go-on")
    until(lambda: server.exists("done"), "it goes on to its end")


@pytest.fixture
def impatient():
    """No socket of this process is waited for without end."""
    socket.setdefaulttimeout(60)
    yield
    socket.setdefaulttimeout(None)


@pytest.mark.usefixtures("impatient")
def test_concurrent_requests_are_served(server):
    begun = [server.ask(f"touch /run/begun{number}; read line; echo $line") for number in range(5)]
    for connection in begun:
        connection.sendall((3).to_bytes(8, "big"))
    until(lambda: all(server.exists(f"begun{number}") for number in range(5)), "all run at the same time")
    assert server.run("echo another") == (0, b"another\n", b"")
    for connection in reversed(begun):
        connection.sendall(b"in\n")
        with connection.makefile("rb") as answers:
            assert answers.read() == b"1\0\0\0\3in\n.\0\0\0\0010"


@pytest.mark.usefixtures("impatient")
def test_requests_that_are_complete_at_once_do_not_keep_each_others_connections(server):
    request = agent_request("while [ ! -e /run/go-on ]; do sleep 0.1; done")
    last = agent_request("true")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(3)]
        for client in clients:
            client.connect(server.path)
            client.sendall(request[:1])
        until(lambda: not any(unread(client) for client in clients), "all are accepted")
        server.host.run("pkill", "-STOP", "-f", SERVE)
        for client, sent in zip(clients, (request, request, last), strict=True):
            client.sendall(sent[1:])
        server.host.run("pkill", "-CONT", "-f", SERVE)
        for client in clients:
            assert client.recv(1) == b"+"
            client.sendall(bytes(8))
        with clients[-1].makefile("rb") as answer:
            assert answer.read() == b".\0\0\0\0010", "closed while the others run"
        server.host.run("touch", f"{RUN}/go-on")
        assert [client.recv(9) for client in clients[:-1]] == [b".\0\0\0\0010"] * 2


def agent_request(command):
    body = "\0".join(["relayed", "box", "root", "/bin/sh", "-c", command]).encode()
    return len(body).to_bytes(4, "big") + body


def unread(connection):
    """Bytes that the other end has not received yet (SIOCOUTQ, which is TIOCOUTQ, for a unix(7) socket)."""
    return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def test_errors_are_reported(server):
    with pytest.raises(stream.NotRun, match="container other does not exist"):
        server.run("true", container="other")
    with pytest.raises(stream.NotRun, match="the request must have a container, a user and a command"):
        stream.run(server.path, ["box"], b"")


def test_invalid_request_is_refused(server):
    for sent in (b"", b"\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x09relayed"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(server.path)
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b"", sent


def test_silent_client_is_disconnected(server):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(server.path)
        connection.settimeout(60)
        assert connection.recv(1) == b""


# What the process that answers has opened and loaded since it went into the container, whose files it sees.
AUDITED = "/run/audited"
AUDIT = [audit_from_setns, audit_until_answer(path=f"{AUDITED}/seen")]


def ask_test_build(server, seams, argv, data=b""):
    """The answer of an agent of the test build to a request, and its status."""
    environment = [f"{name}={value}" for name, value in build_environment().items()]
    server.host.run("env", *environment, *build_command(seams, "agent", f"{AUDITED}/socket"))
    return stream.run(f"/proc/{server.host.pid}/root{AUDITED}/socket", ["box", "root", "/bin/sh", "-c", argv], data)


def end_test_build(host):
    host.run("pkill", "-f", f"seams .* agent {AUDITED}")
    host.run("rm", "-r", AUDITED)


def test_cve_2019_14271_agent_loads_nothing_from_the_container(server):

    def found(*seams):
        assert ask_test_build(server, [*AUDIT, *seams], "cat; echo >&2; exit 3", b"in")[:2] == (3, b"in")
        record = until(lambda: server.host.run("cat", f"{AUDITED}/seen", check=False).stdout, "it has ended")
        end_test_build(server.host)
        # Not files that are opened by descriptor.
        return [seen for seen in json.loads(record)["seen"] if not re.fullmatch("open [0-9]+", seen)]

    assert "import 'colorsys'" in found(import_before("_agent.relayed_streams:send", module="colorsys"))
    assert found() == []


def workers(host) -> list[str]:
    """Processes that serve somebody: not the server and the one that waits for who comes next, which hear of them."""
    accepting = "00010000"
    sockets = [line.split() for line in host.run("cat", "/proc/net/unix").stdout.splitlines()]
    (inode,) = (found[6] for found in sockets if found[3] == accepting and "/conductor/entry/" in found[-1])
    pids = host.run("pgrep", "-f", SERVE).stdout.split()
    # One that has just ended has nothing open.
    opened = {pid: host.run("ls", "-l", f"/proc/{pid}/fd", check=False).stdout for pid in pids}
    return [pid for pid, found in opened.items() if found and f"socket:[{inode}]" not in found]


def test_command_inherits_no_descriptors_of_the_agent(server):
    look = list_descriptors_before("_kernel.user_namespace:enter", path="/run/open")
    opened = json.loads(ask_test_build(server, [look], "cat /run/open; rm /run/open")[1])
    end_test_build(server.host)
    assert {link.split(":")[0] for link in opened} == {"pipe", "cgroup", "user"}, opened
