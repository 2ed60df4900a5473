"""Throughput, round trips and new connections through an exposed port, and between containers.

Client, host and server are network namespaces of a test host for each set-up. From outside, with one and with 1000
exposed ports, of which the last one is called: links and routes without a rule, the rules of dockerd, podman with
netavark, and ours. Between containers: links and routes, a bridge, ours with one peer and with more than 1000.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import networks
import peers
from comparison import MORE, Comparison
from options import Options
from turns import take_turns

MANY = 1000
# So many containers, each of which may call all before it, are 1035 peers.
MEMBERS = 46
SECONDS, ROUND_TRIPS, CONNECTIONS = 3, 3000, 500
# Seconds.
DEADLINE = 20.0
T = TypeVar("T")

ECHO = """
import socket, sys
server = socket.create_server(("", int(sys.argv[1])), backlog=64)
while True:
    caller, _ = server.accept()
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := caller.recv(64):
        caller.sendall(data)
    caller.close()
"""
# Prints the median time of a round trip, and of a connection that is opened and answered, in seconds.
CALL = """
import socket, statistics, sys, time
address, port, round_trips, connections = sys.argv[1], *map(int, sys.argv[2:])
def call():
    caller = socket.create_connection((address, port), 5)
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return caller
def exchange(caller):
    caller.sendall(b"x")
    caller.recv(1)
def measure(count, action):
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)
def connect():
    with call() as caller:
        exchange(caller)
with call() as caller:
    trip = measure(round_trips, lambda: exchange(caller))
print(trip, measure(connections, connect))
"""


def measure(options: Options) -> Iterator[Comparison]:
    """Measure from outside, then between containers."""
    outside: dict[str, Callable] = {"plain veth": networks.plain}
    for count in (1, MANY):
        ports = "1 port" if count == 1 else f"{count} ports"
        outside[f"conductor, {ports}"] = lambda host, count=count: networks.conductor(host, count)
        outside[f"docker's rules, {ports}"] = lambda host, count=count: networks.bridge(host, count)
        outside[f"podman, {ports}"] = lambda host, count=count: networks.with_podman(host, count)
    yield from compare(options.rounds, "through an exposed port", outside, "plain veth")
    between: dict[str, Callable] = {
        "plain veth": networks.plain_pair,
        "bridge": networks.bridge_pair,
        "conductor, 1 peer": lambda host: networks.conductor_pair(host, 2),
        f"conductor, {MEMBERS * (MEMBERS - 1) // 2} peers": lambda host: networks.conductor_pair(host, MEMBERS),
    }
    yield from compare(options.rounds, "between containers", between, "plain veth")


def compare(rounds: int, where: str, makers: dict[str, Callable], against: str) -> Iterator[Comparison]:
    """Give each set-up a test host of its own, for the rules of one would be in the way of the others."""
    from image_cache import mount_image, test_image
    from testhost import Host

    image, set_ups, left_out = test_image(), {}, {}
    with contextlib.ExitStack() as hosts:
        for name, make in makers.items():
            host = hosts.enter_context(Host())
            peers.add_to(host)
            mount_image(host, image)
            networks.offload(host)
            try:
                set_ups[name] = make(host)
            except (AssertionError, RuntimeError, subprocess.SubprocessError) as error:
                if name == against:
                    raise
                left_out[name] = " ".join(str(error).split())[-400:]
        contestants = {name: lambda set_up=set_up: one_round(set_up) for name, set_up in set_ups.items()}
        taken = take_turns(rounds, contestants)
    yield Comparison(f"Throughput {where}", "Gbit/s", against, taken["throughput"], better=MORE, left_out=left_out)
    yield Comparison(f"Round trip {where}", "s", against, taken["round trip"], left_out=left_out)
    yield Comparison(f"New connection {where}", "s", against, taken["connection"], left_out=left_out)


def one_round(set_up: networks.SetUp) -> dict[str, float]:
    """Measure each thing once; servers run only meanwhile."""
    port = str(networks.PORT)
    with serving(set_up, "iperf3", "--server", "--port", port):
        command = ["iperf3", "--client", set_up.address, "--port", port, "--time", str(SECONDS), "--json"]
        bits = call(set_up, command, received_bits)
    with serving(set_up, "python3", "-c", ECHO, port):
        counts = [str(ROUND_TRIPS), str(CONNECTIONS)]
        trip, connection = call(set_up, ["python3", "-c", CALL, set_up.address, port, *counts], two_numbers)
    return {"throughput": bits / 1e9, "round trip": trip, "connection": connection}


def received_bits(output: str) -> float:
    """Bits per second in the JSON of iperf3(1), which exits with 0 if nothing listens. Raises KeyError then."""
    return json.loads(output)["end"]["sum_received"]["bits_per_second"]


def two_numbers(output: str) -> list[float]:
    """Numbers that CALL prints."""
    return [float(word) for word in output.split()]


@contextlib.contextmanager
def serving(set_up: networks.SetUp, *command: str) -> Iterator[None]:
    """Run a server in the server's network namespace."""
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    # A signal would only reach nsenter, which has the command as its child.
    until_closed = ["sh", "-c", '"$@" & read -r _; kill $!; wait', "sh"]
    server = set_up.host.popen("nsenter", f"--net={set_up.server}", "--", *until_closed, *command, **streams)
    try:
        yield
    finally:
        # Closes its standard input; the port is free again when it has ended.
        server.communicate()


def call(set_up: networks.SetUp, command: list[str], read: Callable[[str], T]) -> T:
    """Run a client, again if nothing listens yet; what `read` makes of its output. Raises RuntimeError at DEADLINE."""
    deadline = time.monotonic() + DEADLINE
    while True:
        if set_up.client:
            done = set_up.host.run("nsenter", f"--net={set_up.client}", "--", *command, check=False)
        else:
            done = set_up.host.outside.run(*command, check=False)
        if done.returncode == 0:
            with contextlib.suppress(KeyError):
                return read(done.stdout)
        if time.monotonic() > deadline:
            raise RuntimeError(f"{command[0]} to {set_up.address}: {done.stderr or done.stdout}")
        time.sleep(0.02)
