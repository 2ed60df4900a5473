"""Containers as far as the network sees them, and calls between nodes, for the tests of the network."""

from __future__ import annotations

import json
import secrets
import subprocess

from testhost import Host, Node

INTERNET4, INTERNET6 = "203.0.113.1", "2001:db8:ffff::1"
OUTSIDE4, OUTSIDE6 = "198.51.100.2", "2001:db8:2::2"
# The host's addresses towards the outside, and towards the internet.
HOST4, HOST6 = "198.51.100.1", "2001:db8:2::1"
GATEWAY4, GATEWAY6 = "10.87.0.1", "fd87:c04d:c70::1"

SERVER = """
import socket, sys
address, port, protocol = sys.argv[1], int(sys.argv[2]), sys.argv[3]
kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if address == "::":
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
server.bind((address, port))
if protocol == "tcp":
    server.listen(16)
print("ready", flush=True)
import os, threading
# It ends with its standard input.
threading.Thread(target=lambda: os._exit(len(sys.stdin.read())), daemon=True).start()
def echo(connection, source):
    while True:
        data = connection.recv(1000)
        if not data:
            return
        connection.sendall(data + b" from " + source[0].encode())
while True:
    if protocol == "tcp":
        threading.Thread(target=echo, args=server.accept(), daemon=True).start()
    else:
        # From the address that was called: a host has several.
        data, more, _flags, source = server.recvmsg(1000, 100)
        about = [(level, kind, value[:16] + bytes(4)) for level, kind, value in more]
        server.sendmsg([data + b" from " + source[0].encode()], about, 0, source)
"""
CLIENT = """
import socket, sys
address, port, protocol, source = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
client.settimeout(float(sys.argv[5]))
try:
    if source:
        client.setsockopt(socket.SOL_IP if "." in source else socket.IPPROTO_IPV6, 15 if "." in source else 78, 1)
        client.bind((source, 0))
    client.connect((address, port))
    client.sendall(b"hello")
    print(client.recv(1000).decode())
except OSError as error:
    print("FAILED", error)
"""
# An echo request (RFC 792, RFC 4443), and a wait for its answer; the kernel fills in the checksum of IPv6 only.
PING = """
import socket, sys
six = ":" in sys.argv[1]
raw = socket.socket(*((socket.AF_INET6, 3, 58) if six else (socket.AF_INET, 3, 1)))
raw.settimeout(float(sys.argv[2]))
try:
    raw.connect(socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_DGRAM)[0][4])
    raw.send(bytes.fromhex("8000000000010001" if six else "0800f7fd00010001"))
    while raw.recv(1000)[0 if six else 20] != (129 if six else 0):
        pass
    print("alive")
except OSError as error:
    print(error)
"""


_servers: list[subprocess.Popen] = []


def serve(node: Node, port: int, protocol: str = "tcp", address: str = "::") -> None:
    """An echo server on `node` that is ready. It ends with `end_servers`, or with the test host."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    server = node.popen("python3", "-c", SERVER, address, str(port), protocol, **pipes)
    assert server.stdout.readline() == "ready\n"
    _servers.append(server)


def end_servers() -> None:
    """End what `serve` started."""
    while _servers:
        _servers.pop().communicate()


def call(
    node: Node, address: str, port: int, protocol: str = "tcp", *, source: str = "", patience: float = 5
) -> str | None:
    """What the server at the address answers `node`: the source address that it saw; None where nothing answers."""
    said = node.run("python3", "-c", CLIENT, address, str(port), protocol, source, str(patience)).stdout.strip()
    return said.partition("hello from ")[2].removeprefix("::ffff:") or None


def reaches(node: Node, address: str, port: int, protocol: str = "tcp", **more) -> bool:
    return call(node, address, port, protocol, **more) is not None


def is_refused(node: Node, address: str, port: int, protocol: str = "tcp", **more) -> bool:
    """Whether nothing answers. What is dropped is dropped at once: a wait as short as this cannot hide an answer,
    for the same call succeeds in much less where it is allowed."""
    return call(node, address, port, protocol, patience=0.7, **more) is None


def answers_ping(node: Node, address: str, patience: float = 5) -> bool:
    """Whether `address`, which may have a scope, answers an ICMP echo request of `node`."""
    return node.run("python3", "-c", PING, address, str(patience)).stdout == "alive\n"


class Inside(Node):
    """The host's programs in the network namespace of the container `name`: an image may lack python and ip."""

    def __init__(self, host: Host, name: str) -> None:
        self.host, self.name = host, name
        self.directory = f"/var/lib/conductor/containers/{name}"
        netns = f"--net=/proc/{host.pid}/root/run/netns/conductor-{name}"
        super().__init__(["--target", str(host.pid), "--mount", "--pid", "--uts", "--ipc", "--cgroup", netns])

    def network(self, **options) -> dict:
        """conductor_network for this container."""
        return self.host.module("conductor_network", container=self.name, **options)

    def addresses(self) -> tuple[str, str]:
        """Its IPv4 and IPv6 address."""
        spec = json.loads(self.host.run("cat", f"{self.directory}/network.json").stdout)
        return spec["ipv4"], spec["ipv6"]


class Box(Inside):
    """A container made of what the network needs: its directory with a root, and its network namespace."""

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host, name)
        self.root = f"{self.directory}/rootfs"
        host.run("mkdir", "-p", f"{self.root}/etc")
        spec = {"version": 1, "id": secrets.token_hex(8), "name": name, "hostname": name, "image": "none"}
        host.run("tee", f"{self.directory}/container.json", stdin=json.dumps(spec))
        self.start()

    def start(self) -> None:
        """A network namespace with lo up, and a mounted root."""
        self.host.run("mount", "--bind", self.root, self.root)
        self.host.run("ip", "netns", "add", f"conductor-{self.name}")
        self.host.run("ip", "-n", f"conductor-{self.name}", "link", "set", "lo", "up")

    def stop(self) -> None:
        """Neither is there any more. A container that was detached has no network namespace."""
        self.host.run("umount", self.root)
        self.host.run("ip", "netns", "del", f"conductor-{self.name}", check=False)

    def file(self, path: str) -> str:
        """Text of a file as the container sees it."""
        return self.host.run("cat", f"{self.root}{path}").stdout
