"""Set-ups of traffic.py: a test host each, on which a server can be called from outside or from another container."""

from __future__ import annotations

import json
from dataclasses import dataclass

import podman

# Where the client outside reaches the host (anchor.py of the test hosts).
HOST = "198.51.100.1"
SUBNET, GATEWAY, SERVER, CLIENT = "172.30.0.0/16", "172.30.0.1", "172.30.0.2", "172.31.0.2"
IDLE = ["/bin/sleep", "infinity"]
PORT = 21998


@dataclass(frozen=True)
class SetUp:
    """`server` is the network namespace of a server on `host`; the client calls `address` at PORT.

    `client` is the client's namespace, or None for the one outside.
    """

    host: object
    server: str
    address: str
    client: str | None = None


def ports(count: int) -> list[int]:
    """Return `count` ports that form no range; PORT is the last one, which a list of rules comes to last."""
    return list(range(PORT - 2 * (count - 1), PORT + 1, 2))


# ETHTOOL_STXCSUM (linux/ethtool.h).
_OFFLOAD = """
import array, fcntl, socket, struct, sys
value = array.array("I", [0x17, 1])
with socket.socket() as any_socket:
    fcntl.ioctl(any_socket, 0x8946, struct.pack("16sP", sys.argv[1].encode(), value.buffer_info()[0]) + bytes(16))
"""


def offload(host) -> None:
    """Let the link to the client outside carry large segments, as network cards do; a test host has that off."""
    host.run("python3", "-c", _OFFLOAD, "lan0")
    host.outside.run("python3", "-c", _OFFLOAD, "eth0")


def plain(host) -> SetUp:
    """Links and routes only: the least that a packet needs."""
    _clear(host)
    _namespace(host, "server", SERVER)
    return SetUp(host, "/run/netns/server", SERVER)


def plain_pair(host) -> SetUp:
    """Links and routes between two containers."""
    _clear(host)
    _namespace(host, "server", SERVER)
    _namespace(host, "client", CLIENT)
    return SetUp(host, "/run/netns/server", SERVER, "/run/netns/client")


def bridge(host, count: int) -> SetUp:
    """A bridge with the rules that dockerd writes for a container with `count` published ports."""
    _clear(host)
    _bridge(host, {"server": SERVER})
    host.run("iptables-restore", stdin=bridge_rules(ports(count)))
    return SetUp(host, "/run/netns/server", HOST)


def bridge_pair(host) -> SetUp:
    """Two containers of one bridge, as docker's and podman's are by default; no rule is for traffic between them."""
    _clear(host)
    _bridge(host, {"server": SERVER, "client": "172.30.0.3"})
    return SetUp(host, "/run/netns/server", SERVER, "/run/netns/client")


def bridge_rules(published: list[int]) -> str:
    """Return what iptables-restore(8) reads: dockerd's chains, and its rules for each port of SERVER."""
    to_server = f"-d {SERVER}/32 ! -i bench0 -o bench0 -p tcp -m tcp"
    to_itself = f"-s {SERVER}/32 -d {SERVER}/32 -p tcp -m tcp"
    dnat = "-A DOCKER ! -i bench0 -p tcp -m tcp --dport {0} -j DNAT --to-destination {1}:{0}"
    nat = [dnat.format(port, SERVER) for port in published]
    hairpin = [f"-A POSTROUTING {to_itself} --dport {port} -j MASQUERADE" for port in published]
    accept = [f"-A DOCKER {to_server} --dport {port} -j ACCEPT" for port in published]
    return "\n".join([
        "*nat", ":PREROUTING ACCEPT", ":OUTPUT ACCEPT", ":POSTROUTING ACCEPT", ":DOCKER -",
        "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
        "-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER",
        f"-A POSTROUTING -s {SUBNET} ! -o bench0 -j MASQUERADE", *hairpin, *nat, "COMMIT",
        "*filter", ":INPUT ACCEPT", ":FORWARD DROP", ":OUTPUT ACCEPT",
        ":DOCKER -", ":DOCKER-ISOLATION-STAGE-1 -", ":DOCKER-ISOLATION-STAGE-2 -", ":DOCKER-USER -",
        "-A FORWARD -j DOCKER-USER", "-A FORWARD -j DOCKER-ISOLATION-STAGE-1",
        "-A FORWARD -o bench0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A FORWARD -o bench0 -j DOCKER", "-A FORWARD -i bench0 ! -o bench0 -j ACCEPT",
        "-A FORWARD -i bench0 -o bench0 -j ACCEPT", *accept,
        "-A DOCKER-ISOLATION-STAGE-1 -i bench0 ! -o bench0 -j DOCKER-ISOLATION-STAGE-2",
        "-A DOCKER-ISOLATION-STAGE-1 -j RETURN", "-A DOCKER-ISOLATION-STAGE-2 -o bench0 -j DROP",
        "-A DOCKER-ISOLATION-STAGE-2 -j RETURN", "-A DOCKER-USER -j RETURN", "COMMIT", "",
    ])  # fmt: skip


def with_podman(host, count: int) -> SetUp:
    """A container of podman's with `count` published ports, and the rules that netavark writes."""
    _clear(host)
    podman.configure(host)
    root = "/run/peer"
    host.run("mkdir", "-p", f"{root}/root", f"{root}/upper", f"{root}/work")
    image = "/var/lib/conductor/images/debian/rootfs"
    layers = f"lowerdir={image},upperdir={root}/upper,workdir={root}/work"
    host.run("mount", "-t", "overlay", "-o", layers, "overlay", f"{root}/root")
    published = [option for port in ports(count) for option in ("--publish", f"{port}:{port}")]
    started = host.run(*podman.run_command("server", f"{root}/root", IDLE, *published), check=False, timeout=600)
    if started.returncode:
        raise RuntimeError(" ".join(started.stderr.split()))
    pid = host.run("podman", "inspect", "--format", "{{.State.Pid}}", "server").stdout.strip()
    return SetUp(host, f"/proc/{pid}/ns/net", HOST)


def conductor(host, count: int) -> SetUp:
    """A container of ours with `count` exposed ports."""
    expose = [f"{port}-{port}" for port in ports(count)]
    _stack(host, {"server": {"expose": expose}})
    return SetUp(host, "/run/netns/conductor-server", HOST)


def conductor_pair(host, members: int) -> SetUp:
    """`members` containers of ours, each of which may call all that come before it: the first and the last are used."""
    names = [f"c{number}" for number in range(members)]
    _stack(host, {name: {"network": {}, "peers": names[:number]} for number, name in enumerate(names)})
    shown = host.run("ip", "-j", "-4", "-n", "conductor-c0", "address", "show", "dev", "eth0").stdout
    address = json.loads(shown)[0]["addr_info"][0]["local"]
    return SetUp(host, "/run/netns/conductor-c0", address, f"/run/netns/conductor-{names[-1]}")


def _stack(host, containers: dict) -> None:
    _clear(host)
    host.module("conductor_stack", name="bench", containers=containers, defaults={"image": "debian", "command": IDLE})


def _clear(host) -> None:
    """Remove rules of other programs that a test host has, and let it forward."""
    host.run("nft", "flush", "ruleset")
    host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")


def _namespace(host, name: str, address: str) -> None:
    host.run("sh", "-euc", f"""
ip netns add {name}; ip link add v-{name} type veth peer name eth0 netns {name}; ip link set v-{name} up
ip -n {name} link set lo up; ip -n {name} link set eth0 up; ip -n {name} address add {address}/32 dev eth0
ip -n {name} route add {GATEWAY} dev eth0; ip -n {name} route add default via {GATEWAY}
ip address add {GATEWAY}/32 dev v-{name}; ip route add {address}/32 dev v-{name}
""")  # fmt: skip


def _bridge(host, containers: dict[str, str]) -> None:
    host.run("ip", "link", "add", "bench0", "type", "bridge")
    host.run("ip", "address", "add", f"{GATEWAY}/16", "dev", "bench0")
    host.run("ip", "link", "set", "bench0", "up")
    for name, address in containers.items():
        host.run("sh", "-euc", f"""
ip netns add {name}; ip link add v-{name} type veth peer name eth0 netns {name}; ip link set v-{name} master bench0 up
ip -n {name} link set lo up; ip -n {name} link set eth0 up; ip -n {name} address add {address}/16 dev eth0
ip -n {name} route add default via {GATEWAY}
""")  # fmt: skip
