"""The host forwards packets of containers only."""

import json

import pytest
from crossfire import OPTIONS, SNIFFER, Process
from dying import dies
from netbox import HOST4, HOST6, INTERNET4, INTERNET6, OUTSIDE4, OUTSIDE6, Box, is_refused, reaches, serve
from strides import spread

FORWARDING = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
SETTINGS = "sysctl -a 2>/dev/null | grep -E '^net.ipv[46].(ip_forward|conf.*(forwarding|redirects))' | grep -v cdtr"
# Datagrams without end to each address that is given. When asked, it answers after it has sent once more to each.
SENDER = """
import select, socket, sys, time
four, six = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
print("ready", flush=True)
while True:
    asked = bool(select.select([sys.stdin], [], [], 0)[0])
    if asked and not sys.stdin.readline():
        break
    for address in sys.argv[1:]:
        try:
            (six if ":" in address else four).sendto(b"x", (address, 7777))
        except OSError:
            pass
    if asked:
        print("{}", flush=True)
    time.sleep(0.001)
"""


class Lans:
    """Both sides of the host send to each other."""

    def __init__(self, host):
        self.host = host
        self.senders = [
            Process(host.outside, SENDER, INTERNET4, INTERNET6, "192.0.2.1", "2001:db8:1::1"),
            Process(host.internet, SENDER, OUTSIDE4, OUTSIDE6),
        ]
        self.sniffers = [Process(node, SNIFFER, "packets") for node in (host.internet, host.outside)]

    def arrived(self):
        """The packets received since the last time, and from a whole round of each sender."""
        for sender in self.senders:
            sender.ask()
        self.host.run("true")
        return [seen for seen in (sniffer.ask() for sniffer in self.sniffers) if seen]

    def arrive_on_both_sides(self):
        """Whether they do, after some time: a sniffer may count a packet later than its sender has sent it."""
        self.arrived()
        return any(len(self.arrived()) == 2 for _ in range(100))

    def end(self):
        for process in (*self.senders, *self.sniffers):
            process.end()


@pytest.fixture
def lans(bare_host):
    """A host with forwarding off."""
    lans = Lans(bare_host)
    yield lans
    lans.end()


def switch(host, value):
    host.run("sysctl", "-qw", *(f"{name}={value}" for name in FORWARDING))


def test_no_packet_is_forwarded_between_others_before_during_and_after_the_first_network(lans):
    host = lans.host
    box = Box(host, "web")
    serve(box, 8080)
    serve(host.internet, 7000)
    before = host.run("sh", "-c", SETTINGS).stdout
    for _ in range(3):
        box.network(internet=True, expose=["8080-80"])
        for address in (HOST4, HOST6):
            assert reaches(host.outside, address, 80)
        for address in (INTERNET4, INTERNET6):
            assert reaches(box, address, 7000)
        box.network(state="absent")
        assert host.run("sh", "-c", SETTINGS).stdout == before
    assert lans.arrived() == []
    switch(host, 1)
    assert lans.arrive_on_both_sides()


@pytest.mark.parametrize("gone", ["nft flush ruleset", "ip rule flush; ip rule add lookup main; ip -6 rule flush"])
def test_table_and_routing_rules_each_block_forwarding_alone(lans, gone):
    box = Box(lans.host, "web")
    box.network(internet=True, expose=["8080-80"])
    lans.host.run("sh", "-c", gone)
    lans.host.run("sh", "-c", "ip -6 rule | grep -q main || ip -6 rule add lookup main pref 32766")
    assert lans.arrived() == []
    assert lans.host.module("conductor_network_info")["drift"] != []
    lans.host.module("conductor_network", state="reconciled")
    assert lans.host.module("conductor_network_info")["drift"] == []
    assert lans.arrived() == []


@spread(3)
@pytest.mark.parametrize("state", ["present", "absent"])
def test_killed_run_forwards_nothing(lans, state, stride):
    box = Box(lans.host, "evil")
    step = 0
    while True:
        if state == "absent":
            lans.host.module("conductor_network", **OPTIONS)
        else:
            box.network(state="absent")
        if not dies(lans.host, step, "network", **{**OPTIONS, "state": state}):
            break
        assert lans.arrived() == [], step
        step += stride
    assert step > 4
    assert lans.arrived() == []
    box.network(state="absent")
    assert {lans.host.run("sysctl", "-n", name).stdout for name in FORWARDING} == {"0\n"}
    assert "iif" not in lans.host.run("sh", "-c", "ip rule; ip -6 rule").stdout


def test_host_that_forwarded_before_keeps_forwarding(lans):
    switch(lans.host, 1)
    box = Box(lans.host, "web")
    box.network(internet=True)
    assert lans.arrive_on_both_sides()
    assert "iif" not in lans.host.run("sh", "-c", "ip rule; ip -6 rule").stdout
    box.network(state="absent")
    assert {lans.host.run("sysctl", "-n", name).stdout for name in FORWARDING} == {"1\n"}


def test_forwarding_enabled_later_by_another_program_is_kept(lans):
    box = Box(lans.host, "web")
    box.network(internet=True)
    assert lans.arrived() == []
    switch(lans.host, 1)
    assert lans.host.module("conductor_network", state="reconciled")["changed"]
    assert not lans.host.module("conductor_network", state="reconciled")["changed"]
    assert lans.arrive_on_both_sides()
    box.network(state="absent")
    assert {lans.host.run("sysctl", "-n", name).stdout for name in FORWARDING} == {"1\n"}


def test_another_program_that_forwards_is_not_affected(bare_host):
    """Like docker: if the host does not forward, it enables forwarding with a drop policy, and adds a bridge."""
    box, member = Box(bare_host, "web"), Box(bare_host, "member")
    box.network(internet=True)
    serve(bare_host.internet, 7000)
    serve(member, 7000)
    assert bare_host.run("sysctl", "-n", FORWARDING[0]).stdout != "1\n"
    switch(bare_host, 1)
    netns = "conductor-member"
    for command in (
        f"ip link add br0 type veth peer name eth9 netns {netns}",
        "ip addr add 172.17.0.1/16 dev br0; ip link set br0 up",
        f"ip -n {netns} addr add 172.17.0.2/16 dev eth9; ip -n {netns} link set eth9 up",
        f"ip -n {netns} route add default via 172.17.0.1",
        "nft add table ip docker; nft add chain ip docker f '{ type filter hook forward priority 0; policy drop; }'",
        "nft add rule ip docker f iifname br0 accept; nft add rule ip docker f oifname br0 ct state established accept",
        "nft add chain ip docker p '{ type nat hook postrouting priority 100; }'",
        "nft add rule ip docker p ip saddr 172.17.0.0/16 masquerade",
    ):
        bare_host.run("sh", "-ec", command)
    assert reaches(member, INTERNET4, 7000)
    assert is_refused(bare_host.outside, "172.17.0.2", 7000)


def test_check_mode_predicts_forwarding_changes(bare_host):
    box = Box(bare_host, "web")
    foretold = bare_host.module("conductor_network", container="web", check=True)["actions"]
    assert {"enable IPv4 forwarding", "enable IPv6 forwarding"} < set(foretold)
    assert "block other forwarding between lan0, wan0" in foretold
    assert foretold.index("block other forwarding between lan0, wan0") < foretold.index("enable IPv4 forwarding")
    assert box.network()["actions"] == foretold
    foretold = bare_host.module("conductor_network", container="web", state="absent", check=True)["actions"]
    assert "disable IPv4 forwarding" in foretold and box.network(state="absent")["actions"] == foretold


def test_redirects_and_forwarding_of_single_interfaces_are_restored(bare_host):
    bare_host.run("sysctl", "-qw", "net.ipv4.conf.all.accept_redirects=0", "net.ipv4.conf.lan0.forwarding=1")
    before = bare_host.run("sh", "-c", SETTINGS).stdout
    box = Box(bare_host, "web")
    box.network(internet=True)
    rules = json.loads(bare_host.run("ip", "-j", "rule").stdout)
    assert {rule["iif"] for rule in rules if "iif" in rule} == {"wan0"}
    box.network(state="absent")
    assert bare_host.run("sh", "-c", SETTINGS).stdout == before
