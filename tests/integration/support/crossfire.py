"""Floods of raw packets from hostile nodes, and counts of what arrives where it must not.

A cannon sends frames of its own making by AF_PACKET from the first instant at which its interface exists. A sniffer
counts datagrams to the port PORT by AF_PACKET, which no firewall hides; a socket of the host's those that reach it.
"""

from __future__ import annotations

import json
import subprocess

from netbox import GATEWAY4, GATEWAY6, HOST4, HOST6, INTERNET4, INTERNET6

# In the programs below, too.
PORT = 7777
EVIL4, EVIL6, OTHER4, OTHER6 = "10.87.0.2", "fd87:c04d:c70::2", "10.87.0.3", "fd87:c04d:c70::3"
# Of conductor_network, all of them, for a container that may do nothing.
OPTIONS = {
    "container": "evil", "state": "present", "internet": False, "uplink": None, "expose": [], "host_access": False,
    "metadata": False, "ipv4": EVIL4, "ipv6": EVIL6, "mac": None, "mtu": 1500, "dns": None,
}  # fmt: skip
_PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}

CANNON = r"""
import fcntl, json, os, select, socket, struct, sys, threading, time
name, packets = sys.argv[1], json.loads(sys.argv[2])
learned = [b"\xff" * 6]

def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF

def datagram(source, target):
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    source, target = (socket.inet_pton(family, a) for a in (source, target))
    udp = struct.pack("!HHHH", 4000, PORT, 13, 0) + b"fired"
    if family == socket.AF_INET6:
        pseudo = source + target + struct.pack("!II", len(udp), 17)
        udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp)) + udp[8:]
        return 0x86DD, struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + source + target + udp
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + source + target
    return 0x0800, head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp

def open_socket():
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    raw.bind((name, 0))
    request = struct.pack("16sH14x", name.encode(), 0)
    flags = struct.unpack("16sH14x", fcntl.ioctl(raw, 0x8913, request))[1]
    fcntl.ioctl(raw, 0x8914, struct.pack("16sH14x", name.encode(), flags | 1))
    raw.setblocking(False)
    return raw

def learn(raw):
    "The hardware address of whoever is at the other end."
    own = raw.getsockname()[4]
    for _ in range(64):
        try:
            frame, about = raw.recvfrom(64)
        except OSError:
            return
        if about[2] != 4 and frame[6:12] != own and frame[6:12] not in learned:
            learned.append(frame[6:12])

PORT = 7777
bodies = [datagram(*packet) for packet in packets]
ended = []
threading.Thread(target=lambda: ended.append(sys.stdin.read()), daemon=True).start()
raw, sent = None, 0
print("ready", flush=True)
while not ended:
    try:
        raw = raw or open_socket()
        own = raw.getsockname()[4]
        learn(raw)
        for kind, body in bodies:
            for mac in learned:
                raw.send(mac + own + struct.pack("!H", kind) + body)
                sent += 1
        # Who is there?
        for source, target in {(s, t) for s, t in packets if "." in s}:
            ask = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + own + socket.inet_aton(source) + bytes(6)
            raw.send(b"\xff" * 6 + own + b"\x08\x06" + ask + socket.inet_aton("GATEWAY"))
    except BlockingIOError:
        pass
    except OSError:
        raw = None
    # Not all of the machine: others work here, too.
    time.sleep(0.001)
print(sent, flush=True)
""".replace("GATEWAY", GATEWAY4)

SNIFFER = r"""
import collections, os, socket, struct, sys, threading
PORT, SO_RCVBUFFORCE, seen = 7777, 33, collections.Counter()
threading.excepthook = lambda error: (print(error, file=sys.stderr), os._exit(1))

def sniff():
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    started.set()
    while True:
        packet, about = raw.recvfrom(200)
        if about[2] == 4:
            continue
        kind = about[1]
        head = (packet[0] & 15) * 4 if kind == 0x0800 else 40
        protocol = packet[9:10] if kind == 0x0800 else packet[6:7]
        if kind in (0x0800, 0x86DD) and protocol == b"\x11" and packet[head + 2 : head + 4] == struct.pack("!H", PORT):
            family, at = (socket.AF_INET, 12) if kind == 0x0800 else (socket.AF_INET6, 8)
            size = 4 if kind == 0x0800 else 16
            ends = [socket.inet_ntop(family, packet[a : a + size]) for a in (at, at + size)]
            seen["%s > %s" % tuple(ends)] += 1

def serve():
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    server.bind(("::", PORT))
    started.set()
    while True:
        seen["%s > host" % server.recvfrom(100)[1][0].replace("::ffff:", "")] += 1

import json
started = threading.Event()
threading.Thread(target=serve if sys.argv[1] == "socket" else sniff, daemon=True).start()
started.wait()
print("ready", flush=True)
for _line in sys.stdin:
    print(json.dumps(seen), flush=True)
    seen.clear()
"""


class Process:
    """One of the programs above on a node."""

    def __init__(self, node, program: str, *arguments: str) -> None:
        self._process = node.popen("python3", "-c", program, *arguments, **_PIPES)
        assert self._process.stdout.readline() == "ready\n"

    def ask(self) -> dict:
        """What was seen since the last time."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def end(self) -> str:
        return self._process.communicate()[0]


class Field:
    """Sniffers at the host, on the internet, on the LAN and in other containers; cannons where a test puts them."""

    def __init__(self, host) -> None:
        self.host = host
        self.cannons: list[Process] = []
        self.sniffers = {
            "host": Process(host, SNIFFER, "socket"),
            "internet": Process(host.internet, SNIFFER, "packets"),
            "outside": Process(host.outside, SNIFFER, "packets"),
        }

    def watch(self, name: str, node) -> None:
        """Count what arrives in a further namespace."""
        self.sniffers[name] = Process(node, SNIFFER, "packets")

    def fire(self, node, interface: str, packets) -> None:
        """Flood pairs of source and target from `interface` of `node`, which need not exist yet."""
        self.cannons.append(Process(node, CANNON, interface, json.dumps(list(packets))))

    def arrived(self) -> dict:
        """What arrived where since the last time, without those places where nothing did."""
        found = {name: sniffer.ask() for name, sniffer in self.sniffers.items()}
        return {name: seen for name, seen in found.items() if seen}

    def cease(self) -> list[int]:
        """End the cannons: how many frames each has sent."""
        sent = [int(cannon.end()) for cannon in self.cannons]
        self.cannons.clear()
        return sent

    def end(self) -> None:
        self.cease()
        for sniffer in self.sniffers.values():
            sniffer.end()


def shots(own4: str, own6: str, *others: str) -> list[tuple[str, str]]:
    """What a hostile container tries, as itself and as others: the host, its loopback, the internet, and `others`."""
    targets4 = [HOST4, GATEWAY4, "127.0.0.1", "127.0.0.5", INTERNET4, *(o for o in others if "." in o)]
    targets6 = [HOST6, GATEWAY6, INTERNET6, *(o for o in others if ":" in o)]
    forged4, forged6 = ("10.87.0.77", "192.0.2.99"), ("fd87:c04d:c70::77", "2001:db8:1::99")
    found = [(source, target) for source in (own4, *forged4) for target in targets4]
    return found + [(source, target) for source in (own6, *forged6) for target in targets6]
