"""No forbidden packet arrives while links and tables are added, changed and removed."""

import errno
import json

import pytest
from attacks import patched
from crossfire import CANNON, EVIL4, EVIL6, OPTIONS, OTHER4, OTHER6, Field, shots
from dying import dies
from netbox import INTERNET4, OUTSIDE4, OUTSIDE6, Box, reaches, serve
from seams.faults import fail_with

ALONE = {"host_access": False}
FLUSHES = {
    "nft flush ruleset": "nft flush ruleset",
    "systemctl restart nftables": "printf 'flush ruleset\\nadd table inet filter\\n' > /run/n; nft -f /run/n",
    "nft delete table inet conductor": "nft delete table inet conductor",
    "nft delete table netdev conductor": "nft delete table netdev conductor",
}


@pytest.fixture
def field(bare_host):
    """Container evil floods, container other is not its peer, and a neighbor on the LAN floods both."""
    field = Field(bare_host)
    field.evil, field.other = Box(bare_host, "evil"), Box(bare_host, "other")
    field.watch("other", field.other)
    field.watch("evil", field.evil)
    yield field
    field.end()


def start_firing(field):
    field.fire(field.evil, "eth0", shots(EVIL4, EVIL6, OTHER4, OTHER6))
    neighbor = [(OUTSIDE4, a) for a in (EVIL4, OTHER4)] + [(OUTSIDE6, a) for a in (EVIL6, OTHER6)]
    field.fire(field.host.outside, "eth0", neighbor)


def open_up(field):
    """The same senders get through if permitted, so the network blocked their packets before."""
    field.evil.network(ipv4=EVIL4, ipv6=EVIL6, internet=True)
    for _ in range(100):
        seen = field.arrived()
        if f"{EVIL4} > host" in seen.get("host", {}) and f"{EVIL6} > host" in seen["host"]:
            break
        assert reaches(field.evil, INTERNET4, 7000)
    else:
        raise AssertionError("the cannons reach nothing even where they may")
    assert min(field.cease()) > 100
    field.arrived()


@pytest.fixture
def shelled(field):
    """Both containers connected, without permissions, and flooded."""
    serve(field.host.internet, 7000)
    field.evil.network(ipv4=EVIL4, ipv6=EVIL6, **ALONE)
    field.other.network(ipv4=OTHER4, ipv6=OTHER6, **ALONE)
    start_firing(field)
    return field


def test_first_network_opens_nothing_while_it_is_added_and_removed(field):
    serve(field.host.internet, 7000)
    start_firing(field)
    for _ in range(6):
        field.evil.network(ipv4=EVIL4, ipv6=EVIL6, **ALONE)
        field.evil.network(state="absent")
    assert field.arrived() == {}
    open_up(field)


def test_changed_address_opens_nothing(shelled):
    for _ in range(3):
        shelled.evil.network(ipv4="10.87.9.9", ipv6="fd87:c04d:c70::99", mtu=1400, **ALONE)
        shelled.evil.network(ipv4=EVIL4, ipv6=EVIL6, **ALONE)
    assert shelled.arrived() == {}
    open_up(shelled)


@pytest.mark.parametrize("change", ["add set inet conductor junk { type ipv4_addr; }", "delete table inet conductor"])
def test_rewritten_table_opens_nothing(shelled, change):
    for _ in range(6):
        shelled.host.run("nft", change)
        assert shelled.host.module("conductor_network", state="reconciled")["changed"]
    assert shelled.arrived() == {}
    open_up(shelled)


@pytest.mark.parametrize("flush", FLUSHES)
def test_flushed_ruleset_leaves_containers_closed_until_they_are_repaired(shelled, flush):
    shelled.host.run("sh", "-c", FLUSHES[flush])
    found = shelled.host.module("conductor_network_info")
    assert "the firewall table inet conductor is missing" in found["drift"]
    assert shelled.arrived() == {}
    assert shelled.host.module("conductor_network", state="reconciled")["changed"]
    assert shelled.arrived() == {}
    open_up(shelled)


def test_flushed_ruleset_closes_all_access(field):
    """A container that had permissions loses them too: without the table its packets cannot be told from others."""
    host = field.host
    field.evil.network(ipv4=EVIL4, ipv6=EVIL6, internet=True, expose=["8080-80"])
    field.other.network(ipv4=OTHER4, ipv6=OTHER6)
    host.module("conductor_peer", container="evil", peer="other")
    start_firing(field)
    host.run("nft", "flush", "ruleset")
    field.arrived()
    for _ in range(20):
        host.run("true")
    assert field.arrived() == {}


@pytest.mark.parametrize(
    "to, every",
    [
        ("absent", 1),
        ("rewrite", 1),
        ("present", 4),
        pytest.param("present", 1, marks=pytest.mark.long),
        ("readdress", 7),
        pytest.param("readdress", 1, marks=pytest.mark.long),
    ],
)
def test_no_packet_passes_after_death_at_any_step(field, to, every):
    serve(field.host.internet, 7000)
    field.other.network(ipv4=OTHER4, ipv6=OTHER6, **ALONE)
    start_firing(field)
    wish = {
        "present": OPTIONS,
        "absent": {**OPTIONS, "state": "absent"},
        "readdress": {**OPTIONS, "ipv4": "10.87.9.9", "expose": ["80-80", "80-80/udp"]},
        "rewrite": OPTIONS,
    }[to]
    step = every - 1
    while True:
        if to == "present":
            field.evil.network(state="absent")
        else:
            field.host.module("conductor_network", **OPTIONS)
        if to == "rewrite":
            field.host.run("nft", "delete table inet conductor; delete table netdev conductor", check=False)
            field.host.run("nft", "delete table inet conductor", check=False)
        died = dies(field.host, step, "network", **wish)
        assert field.arrived() == {}, step
        if not died:
            break
        step += every
    assert step >= {"rewrite": 1, "absent": 3}.get(to, 10)
    open_up(field)


def test_start_and_stop_open_nothing(host):
    """The sender is the first process of a real container."""
    field = Field(host)
    try:
        packets = json.dumps(shots(EVIL4, EVIL6, OTHER4, OTHER6))
        script = CANNON.replace("sys.argv[1], json.loads(sys.argv[2])", f"'eth0', json.loads('''{packets}''')")
        script = script.replace("ended.append(sys.stdin.read())", "None")
        host.module(
            "conductor_container", name="evil", image="debian", command=["/usr/bin/python3", "-c", script],
            capabilities={"add": ["NET_RAW", "NET_ADMIN"]}, stop_timeout=0.1,
        )  # fmt: skip
        host.module("conductor_network", container="evil", ipv4=EVIL4, ipv6=EVIL6, **ALONE)
        for _ in range(4):
            host.module("conductor_container", name="evil", state="stopped")
            host.module("conductor_container", name="evil", state="started")
        assert field.arrived() == {}
        host.module("conductor_network", container="evil", ipv4=EVIL4, ipv6=EVIL6)
        for _ in range(100):
            host.run("true")
            seen = field.arrived()
            if seen:
                break
        assert set(seen) == {"host"}
    finally:
        field.end()


def test_localhost_is_routed_only_to_containers_that_expose(bare_host):
    box = Box(bare_host, "web")
    serve(box, 8080)

    def routed():
        return bare_host.run("sh", "-c", "cat /proc/sys/net/ipv4/conf/cdtr-*/route_localnet").stdout.split()

    box.network()
    assert routed() == ["0"]
    box.network(expose=["8080-80"])
    assert routed() == ["1"] and reaches(bare_host, "127.0.0.1", 80)
    box.network()
    assert routed() == ["0"]


def test_host_that_cannot_guard_a_link_says_so_and_leaves_none(bare_host):
    Box(bare_host, "web")
    denied = fail_with("_kernel.link_guard:load_program", errno=errno.EPERM)
    said = patched(bare_host, "conductor_network", seams=[denied], fails=True, container="web")["msg"]
    assert "this host cannot guard a container's link (Operation not permitted)" in said and "cls_bpf" in said
    assert bare_host.run("sh", "-c", "ip link show | grep cdtr-", check=False).stdout == ""
    bare_host.module("conductor_network", container="web")
    assert "state UP" in bare_host.run("sh", "-c", "ip link show | grep cdtr-").stdout
