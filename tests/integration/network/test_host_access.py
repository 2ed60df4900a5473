"""host_access: false blocks every path from a container to its host, and nothing else."""

import pytest
from netbox import (
    GATEWAY4,
    GATEWAY6,
    HOST4,
    HOST6,
    INTERNET4,
    INTERNET6,
    Box,
    answers_ping,
    call,
    is_refused,
    reaches,
    serve,
)

OWN_ADDRESSES = (GATEWAY4, HOST4, "192.0.2.10", GATEWAY6, HOST6, "2001:db8:1::10")
# All packets from a container to the host itself, except neighbor discovery.
ARRIVED = (
    "add table inet seen;"
    "add chain inet seen arrived { type filter hook input priority 10; };"
    "add rule inet seen arrived icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept;"
    "add rule inet seen arrived iifname cdtr-* counter"
)
# Raw packets of an unassigned protocol (RFC 3692): to the host, to everybody, and to a group. Those of IPv6 from
# the container's global address, for of link-local ones the table knows neighbour discovery only.
RAW = """
import socket, sys
for address in sys.argv[2:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    raw = socket.socket(family, socket.SOCK_RAW, 253)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if family == socket.AF_INET6:
        raw.bind((sys.argv[1], 0))
    raw.sendto(b"hello", socket.getaddrinfo(address, None, type=socket.SOCK_DGRAM)[0][4])
"""
# One connection that says hello for each line of its standard input, and prints whether an answer came.
HELD = """
import socket, sys
client = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
for line in sys.stdin:
    client.settimeout(float(line))
    try:
        client.sendall(b"hello")
        print(client.recv(1000).decode(), flush=True)
    except OSError as error:
        print("FAILED", flush=True)
"""


def arrived(host) -> int:
    return int(host.run("nft", "list", "table", "inet", "seen").stdout.split("packets ")[1].split()[0])


def try_everything(box) -> list:
    """The services of the host that the container reaches."""
    found = [(address, "ping") for address in OWN_ADDRESSES if answers_ping(box, address, 0.7)]
    for address in OWN_ADDRESSES:
        for protocol in ("tcp", "udp"):
            if not is_refused(box, address, 9090, protocol):
                found.append((address, protocol))
    groups = ("255.255.255.255", "224.0.0.1", "fe80::1%eth0", "ff02::1%eth0")
    box.run("python3", "-c", RAW, box.addresses()[1], *OWN_ADDRESSES, *groups)
    return found


def test_without_host_access_no_packet_reaches_the_host(bare_host):
    box = Box(bare_host, "web")
    for protocol in ("tcp", "udp"):
        serve(bare_host, 9090, protocol)
    bare_host.run("nft", ARRIVED)
    box.network()
    assert len(try_everything(box)) == 3 * len(OWN_ADDRESSES), "all of it answers where it may"
    assert arrived(bare_host) >= 4 * len(OWN_ADDRESSES)
    box.network(host_access=False)
    bare_host.run("nft", "delete table inet seen;" + ARRIVED)
    assert try_everything(box) == []
    assert arrived(bare_host) == 0


def test_host_reaches_container_without_host_access(bare_host):
    box = Box(bare_host, "web")
    for protocol in ("tcp", "udp"):
        serve(box, 8080, protocol)
    box.network(host_access=False, expose=["8080-80", "8080-80/udp"])
    for address in box.addresses():
        bare_host.run("ip", "neigh", "flush", "all")
        box.run("ip", "neigh", "flush", "all")
        assert answers_ping(bare_host, address)
        assert reaches(bare_host, address, 8080)
        assert reaches(bare_host, address, 8080, "udp")
        # An ICMP reply, since no process listens there.
        refusal = "import socket,sys; s=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, 2);"
        refusal += "s.settimeout(5); s.connect((sys.argv[1], 9)); s.send(b'x'); s.recv(1)"
        assert "ConnectionRefused" in bare_host.run("python3", "-c", refusal, address, check=False).stderr
    for address in ("127.0.0.1", "::1", HOST4, HOST6):
        for protocol in ("tcp", "udp"):
            assert reaches(bare_host, address, 80, protocol)
    assert reaches(bare_host.outside, HOST4, 80)
    assert reaches(bare_host.outside, HOST6, 80)


def test_internet_works_without_host_access(bare_host):
    box = Box(bare_host, "web")
    serve(bare_host.internet, 7000)
    serve(bare_host, 9090)
    box.network(internet=True, host_access=False)
    assert call(box, INTERNET4, 7000) == "192.0.2.10"
    assert call(box, INTERNET6, 7000) == "2001:db8:1::10"
    assert is_refused(box, "192.0.2.10", 9090)
    assert is_refused(box, "2001:db8:1::10", 9090)


@pytest.mark.parametrize("address", [HOST4, HOST6])
def test_established_connection_ends_if_host_access_is_removed(bare_host, address):
    box = Box(bare_host, "web")
    serve(bare_host, 9090)
    box.network()
    held = box.popen("python3", "-c", HELD, address, "9090", stdin=-1, stdout=-1, text=True)
    try:
        assert say(held, 5).startswith("hello from")
        box.network(host_access=False)
        assert say(held, 0.7) == "FAILED"
    finally:
        held.kill()
        held.communicate()


def say(held, patience) -> str:
    held.stdin.write(f"{patience}\n")
    held.stdin.flush()
    return held.stdout.readline().strip()
