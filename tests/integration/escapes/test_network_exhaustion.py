"""Exhaustion of host resources by a container: connections, neighbors, fragments, flows."""

import json

import pytest
from attacks import patched
from netbox import GATEWAY4, HOST4, INTERNET4, Box, answers_ping, call, reaches, serve
from seams.faults import track_few_connections

LIMIT = 8192
FLOOD = """
import socket, sys
sender = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
for port in range(10000, 40000):
    try:
        sender.sendto(b"x", (sys.argv[1], port))
    except OSError:
        pass
"""
# Frames by AF_PACKET to the hardware address of the host's end: $body yields (ethertype, payload).
FRAMES = """
import ipaddress, socket, struct, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
own, gateway = raw.getsockname()[4], bytes.fromhex(sys.argv[1].replace(":", ""))

def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

def ip(source, target, protocol, payload, fragment=0, number=1):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), number, fragment, 64, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(target)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload

def frames():
{body}

for kind, payload in frames():
    raw.send(gateway + own + struct.pack("!H", kind) + payload)
"""


def outer(host, name):
    """Name and MAC address of the host end."""
    link = json.loads(host.run("ip", "-j", "link", "show", f"{name}-outside").stdout)[0]
    return link["ifname"], link["address"]


def send_frames(box, body):
    program = FRAMES.replace("{body}", "\n".join("    " + line for line in body.strip().splitlines()))
    box.run("python3", "-c", program, outer(box.host, box.name)[1])


def test_connections_of_a_container_are_limited(bare_host):
    box, other = Box(bare_host, "web"), Box(bare_host, "other")
    serve(bare_host, 9090)
    for each in (box, other):
        each.network()
    box.run("python3", "-c", FLOOD, GATEWAY4)
    count = int(bare_host.run("cat", "/proc/sys/net/netfilter/nf_conntrack_count").stdout)
    assert LIMIT - 100 < count < LIMIT + 500
    assert reaches(other, GATEWAY4, 9090)
    assert reaches(bare_host, HOST4, 9090)


def test_limit_of_connections_that_follows_the_host_is_written_once(bare_host):
    box = Box(bare_host, "web")
    small = [track_few_connections(most=800)]
    for changed in (True, False):
        assert patched(bare_host, "conductor_network", seams=small, container="web")["changed"] == changed
    table = ["nft", "list", "table", "inet", "conductor"]
    assert "ct count over 100 " in bare_host.run(*table).stdout
    assert box.network()["actions"] == ["write the firewall table inet conductor"]
    assert f"ct count over {LIMIT} " in bare_host.run(*table).stdout
    assert not box.network()["changed"]


@pytest.mark.parametrize("family", ["arp", "ndisc"])
def test_made_up_neighbors_are_not_learned(bare_host, family):
    box = Box(bare_host, "web")
    box.network()
    body = {
        "arp": f"""
for n in range(2000):
    sender = own + socket.inet_aton("10.87.%d.%d" % (8 + n // 250, n % 250))
    yield 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + sender + bytes(6) + socket.inet_aton("{GATEWAY4}")
""",
        "ndisc": """
target = socket.inet_pton(socket.AF_INET6, "fe80::1")
for n in range(2000):
    source = socket.inet_pton(socket.AF_INET6, "fe80::%x:%x" % (7, n))
    icmp = struct.pack("!BBHI", 135, 0, 0, 0) + target + bytes([1, 1]) + own
    pseudo = source + target + struct.pack("!II", len(icmp), 58)
    icmp = icmp[:2] + struct.pack("!H", checksum(pseudo + icmp)) + icmp[4:]
    yield 0x86DD, struct.pack("!IHBB", 6 << 28, len(icmp), 58, 255) + source + target + icmp
""",
    }[family]
    send_frames(box, body)
    known = bare_host.run("ip", "neigh", "show", "dev", outer(bare_host, "web")[0], "nud", "all").stdout.splitlines()
    assert sorted(line.split()[0] for line in known if "ff02" not in line) == ["10.87.0.2", "fd87:c04d:c70::2"]
    assert all("PERMANENT" in line for line in known if "ff02" not in line)
    for address in box.addresses():
        assert answers_ping(bare_host, address)


def test_container_cannot_fill_the_neighbor_table(bare_host):
    """The kernel has one neighbor table for all namespaces. Without an on-link route no neighbor is looked up."""
    box = Box(bare_host, "web")
    box.network()
    probe = "import socket; s=socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n"
    probe += "for n in range(200):\n try: s.sendto(b'x', ('fe80::7:%x' % n, 9, 0, socket.if_nametoindex('eth0')))\n"
    probe += " except OSError: pass"
    box.run("python3", "-c", probe)
    assert "fe80::7:" not in box.run("ip", "-6", "neigh", "show", "nud", "all").stdout


def test_fragments_with_a_forged_source_are_dropped_before_defragmentation(bare_host):
    box = Box(bare_host, "web")
    box.network()

    def waiting():
        sockets = bare_host.run("cat", "/proc/net/sockstat").stdout
        return int(sockets.partition("FRAG: inuse ")[2].split()[0])

    body = """
for n in range(300):
    yield 0x0800, ip(SOURCE, TARGET, 17, bytes(8), 0x2000, n + 1)
"""
    send_frames(box, body.replace("SOURCE", "'192.0.2.99'").replace("TARGET", f"'{GATEWAY4}'"))
    assert waiting() == 0
    send_frames(box, body.replace("SOURCE", "'10.87.0.2'").replace("TARGET", f"'{GATEWAY4}'"))
    assert waiting() > 0, "its own may"


def test_icmp_error_about_another_connection_is_dropped(bare_host):
    """A forged "fragmentation needed" would slow down a connection of the host; a forged "unreachable" would end it."""
    box = Box(bare_host, "web")
    serve(bare_host.internet, 7000, "udp")
    for node, hook in ((bare_host, "input"), (bare_host.internet, "input")):
        node.run("nft", "add table inet seen")
        node.run("nft", f"add chain inet seen errors {{ type filter hook {hook} priority 10; }}")
        node.run("nft", "add rule inet seen errors icmp type destination-unreachable counter")

    def seen(node):
        return int(node.run("nft", "list", "table", "inet", "seen").stdout.split("packets ")[1].split()[0])

    box.network()
    assert call(bare_host, INTERNET4, 7000, "udp", source="192.0.2.10")
    flows = bare_host.run("cat", "/proc/net/nf_conntrack", check=False).stdout
    port = int(next(line for line in flows.splitlines() if "dport=7000" in line).partition("sport=")[2].split()[0])
    error = """
inner = ip("{0}", "{1}", 17, struct.pack("!HHHH", {2}, {3}, 8, 0))
icmp = struct.pack("!BBHHH", 3, 4, 0, 0, 576) + inner
yield 0x0800, ip("10.87.0.2", "{0}", 1, icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:])
"""
    send_frames(box, error.format("192.0.2.10", INTERNET4, port, 7000))
    send_frames(box, error.format(INTERNET4, "192.0.2.10", 7000, port))
    assert (seen(bare_host), seen(bare_host.internet)) == (0, 0)
    # An ICMP error about its own connection passes: no process listens there.
    refusal = "import socket, sys; s = socket.socket(socket.AF_INET, 2); s.settimeout(5)\n"
    refusal += "s.connect((sys.argv[1], 9)); s.send(b'x'); s.recv(1)"
    assert "ConnectionRefused" in bare_host.run("python3", "-c", refusal, "10.87.0.2", check=False).stderr
    assert seen(bare_host) == 1
