"""Requests of admitted users to the agent, through their own socket and with a secret."""

import ast
import fcntl
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.conductor.containers.plugins.plugin_utils.perl_client import Client
from entry_server import EntryServer
from testhost import PYTHON
from waiting import until

UID, OTHER = "12345", "12346"
ADMITTED = "/run/conductor/admitted"
RUN = ["box", "root", "/bin/sh", "-c", "cat; id -u"]
# Arguments: a socket, and the parts of a request. Prints all that comes back.
ASK = """
import socket, struct, sys
path, *parts = sys.argv[1:]
connection = socket.socket(socket.AF_UNIX)
connection.connect(path)
body = "\\0".join(parts).encode()
try:
    connection.sendall(struct.pack("!I", len(body)) + body)
    answer = connection.recv(1)
except ConnectionError:
    answer = b""
if answer == b"+":
    connection.sendall(struct.pack("!Q", 3) + b"in\\n")
while part := connection.recv(4096):
    answer += part
print(answer)
"""


def frame(kind, data):
    return kind + len(data).to_bytes(4, "big") + data


RAN = b"+" + frame(b"1", b"in\n") + frame(b"1", b"0\n") + frame(b".", b"0")


class Admitting(EntryServer):
    """The server, and who asks it as one user of the host or another."""

    def ask_as(self, uid, path, *parts) -> bytes:
        as_user = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"] if uid else []
        done = self.host.run(*as_user, "/usr/bin/python3", "-c", ASK, path, *parts, check=False)
        return ast.literal_eval(done.stdout) if done.returncode == 0 else done.stderr.splitlines()[-1]

    def admit(self, uid=UID) -> tuple[str, str]:
        """The secret and the path that root is told."""
        told = re.fullmatch(r"=([0-9a-f]{64}) (\S+)", self.ask_as(None, self.path_there, "admit", uid).decode())
        return told[1], told[2]


@pytest.fixture
def server(host):
    host.module("conductor_container", name="box", image="debian", command=["/bin/sleep", "infinity"])
    return Admitting(host)


def together(parts: bytes) -> bytes:
    """The same where a command's output came in one piece."""
    return parts.replace(frame(b"1", b"in\n0\n"), frame(b"1", b"in\n") + frame(b"1", b"0\n"))


def test_admitted_user_enters_with_the_secret(server):
    secret, path = server.admit()
    assert together(server.ask_as(UID, path, secret, "relayed", *RUN)) == RAN


@pytest.mark.parametrize("parts", [
    ["relayed", *RUN], ["", "relayed", *RUN], ["0" * 64, "relayed", *RUN], ["S\u00e4", "relayed", *RUN],
    ["SECRET"], ["SECRET", "own", *RUN], ["SECRET", "admit", UID], ["SECRET", "SECRET", "relayed", *RUN], [""],
], ids=str)  # fmt: skip
def test_requests_without_the_secret_are_refused(server, parts):
    secret, path = server.admit()
    assert server.ask_as(UID, path, *(secret if part == "SECRET" else part for part in parts)) == b""


def test_secret_is_useless_for_other_users(server):
    secret, path = server.admit()
    request = [secret, "relayed", *RUN]
    assert server.ask_as(OTHER, path, *request).startswith("PermissionError")
    # Its mode is not all that keeps others out; nor does one who is admitted for themselves get in by another's way.
    server.host.run("chmod", "666", path)
    assert server.ask_as(OTHER, path, *request) == b""
    assert server.ask_as(None, path, *request) == b""
    _, path_of_other = server.admit(OTHER)
    assert server.ask_as(OTHER, path_of_other, *request) == b""
    assert server.ask_as(OTHER, server.path_there, *request).startswith("PermissionError")


def test_user_cannot_see_the_secret(server):
    secret, path = server.admit()
    stat = ["stat", "-c", "%a %u", "/run/conductor", ADMITTED, path, f"{server.path_there}-{UID}"]
    assert server.host.run(*stat).stdout.splitlines() == ["711 0", "711 0", f"600 {UID}", "600 0"]
    assert secret not in server.host.run("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/net/unix").stdout


def test_repeated_admissions_return_the_same_secret(server):
    with ThreadPoolExecutor() as pool:
        (told,) = set(pool.map(lambda _: server.admit(), range(8)))
    assert server.admit() == told
    assert together(server.ask_as(UID, told[1], told[0], "relayed", *RUN)) == RAN


def test_admissions_are_serialized(server):
    told = server.admit()
    with open(server.outside(f"{server.path_there}-{UID}"), "rb") as kept, ThreadPoolExecutor() as pool:
        fcntl.flock(kept, fcntl.LOCK_EX)
        waits = f"-> FLOCK  ADVISORY  WRITE [0-9]+ [0-9a-f:]+:{os.fstat(kept.fileno()).st_ino} "
        again = pool.submit(server.admit)
        until(lambda: re.search(waits, Path("/proc/locks").read_text()), "it waits")
        fcntl.flock(kept, fcntl.LOCK_UN)
        assert again.result() == told


def test_new_agent_has_a_new_secret(server):
    before, path = server.admit()
    server.host.run("pkill", "-9", "-f", "lib/[0-9a-f]* serve")
    until(lambda: "Refused" in str(server.ask_as(UID, path, before, "relayed", *RUN)), "it has ended")
    server.start()
    after, path = server.admit()
    assert after != before
    assert server.ask_as(UID, path, before, "relayed", *RUN) == b""
    assert together(server.ask_as(UID, path, after, "relayed", *RUN)) == RAN


@pytest.mark.parametrize("who", ["", "root", "-1", "1 2", "\u0661"])
def test_invalid_user_id_is_refused(server, who):
    assert server.ask_as(None, server.path_there, "admit", who) == b"!admit requires one numeric user id"


# Arguments: a socket, how many connections to open, and "drip" if a byte a second is sent there. Tells when they are
# open, and how many were closed by the other end.
SILENT = """
import select, socket, sys
path, count, how = sys.argv[1:]
opened = [socket.socket(socket.AF_UNIX) for _ in range(int(count))]
for one in opened:
    one.connect(path)
    one.settimeout(60)
    # The length of what is to come.
    one.send(b"\\0\\0\\xff\\xff" if how == "drip" else b"")
print("open", flush=True)
closed = 0
while opened:
    for one in select.select(opened, [], [], 1)[0]:
        try:
            assert one.recv(1) == b""
        except ConnectionResetError:
            pass
        opened.remove(one)
        closed += 1
    for one in opened if how == "drip" else ():
        try:
            one.send(b"\\0")
        except OSError:
            pass
print(closed)
"""


def silent(server, path, count, how="silent"):
    """Connections of the user's that do not say what they want, when they are open."""
    as_user = ["setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "/usr/bin/python3", "-c", SILENT]
    process = server.host.popen(*as_user, path, str(count), how, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "open\n"
    return process


def test_silent_clients_use_no_process_and_do_not_block_others(server):
    secret, path = server.admit()

    def processes():
        return server.host.run("pgrep", "-f", "lib/[0-9a-f]* serve").stdout.split()

    # The agent forks the process for the next request after it has answered this one.
    until(lambda: len(processes()) == 4, "the agent waits for the next request")
    many = silent(server, path, 150)
    assert len(processes()) <= 4
    assert together(server.ask_as(UID, path, secret, "relayed", *RUN)) == RAN
    assert many.communicate(timeout=120)[0] == "150\n"


def test_slow_clients_have_the_same_deadline(server):
    _, path = server.admit()
    assert silent(server, path, 3, "drip").communicate(timeout=120)[0] == "3\n"


# Has pidfd_getfd(2) and ptrace(2) refused as Yama's ptrace_scope 3 does, which lasts until the machine is booted again.
REFUSED = """
import ctypes, os, struct, sys
numbers = [438, {"x86_64": 101, "aarch64": 117}[os.uname().machine]]
program = [(0x20, 0, 0, 0)]
for number in numbers:
    program += [(0x15, 0, 1, number), (0x06, 0, 0, 0x00050001)]
program.append((0x06, 0, 0, 0x7FFF0000))
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(22, 2, ctypes.byref(Program(len(program), ctypes.addressof(code))), 0, 0) == 0
assert libc.syscall(438, -1, 0, 0) == -1 and ctypes.get_errno() == 1
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_streams_are_opened_without_ptrace_permission(server):
    server.host.run("pkill", "-f", "lib/[0-9a-f]* serve")
    until(lambda: server.host.run("pgrep", "-f", "lib/[0-9a-f]* serve", check=False).returncode, "it has ended")
    start = [PYTHON, "-I", "-S", server.program, "serve", server.path_there]
    server.host.run("/usr/bin/python3", "-c", REFUSED, *start)
    client = Client(["own", "box", "root", "/bin/sh", "-c", "cat; echo to stderr >&2; exit 3"], PYTHON)
    done = server.host.run("sh", "-c", client.command, stdin="given", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "given", "to stderr\n")
