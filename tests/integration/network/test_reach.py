"""Reachability between containers, host, Internet, other hosts and other containers."""

import json

import pytest
from netbox import (
    GATEWAY4,
    GATEWAY6,
    HOST4,
    HOST6,
    INTERNET4,
    INTERNET6,
    OUTSIDE4,
    OUTSIDE6,
    Box,
    answers_ping,
    call,
    is_refused,
    reaches,
    serve,
)


def test_host_and_container_reach_each_other_over_both_protocols(bare_host):
    box = Box(bare_host, "web")
    result = box.network()
    assert result["changed"]
    serve(box, 8080)
    serve(bare_host, 9090)
    for address, gateway in zip(box.addresses(), (GATEWAY4, GATEWAY6)):
        assert call(bare_host, address, 8080) == gateway
        assert call(box, gateway, 9090) == address
    assert reaches(box, HOST4, 9090)
    assert reaches(box, HOST6, 9090)


def test_a_second_run_changes_nothing(bare_host):
    box = Box(bare_host, "web")
    box.network(internet=True, expose=["8080-80"])
    second = box.network(internet=True, expose=["8080-80"])
    assert not second["changed"]
    assert second["actions"] == []


def test_a_container_without_internet_reaches_nothing_beyond_the_host(bare_host):
    box = Box(bare_host, "web")
    serve(bare_host.internet, 7000)
    serve(bare_host.outside, 7000)
    box.network()
    for address in (INTERNET4, INTERNET6, "198.51.100.2", "2001:db8:2::2"):
        assert is_refused(box, address, 7000)
        assert is_refused(box, address, 7000, "udp")


# Sends a datagram of so many bytes, with DF or without (option IP_MTU_DISCOVER), and waits for any answer.
DATAGRAM = """
import socket, sys
address, size, discover = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sender:
    if ":" not in address:
        sender.setsockopt(socket.IPPROTO_IP, 10, discover)
    sender.settimeout(5)
    sender.sendto(b"x" * size, (address, 7000))
    print(len(sender.recv(65536)) > 0)
"""


def test_datagrams_arrive_whole_and_in_fragments(bare_host):
    """Each with a valid checksum, which the links of a test host verify."""
    box = Box(bare_host, "web")
    serve(bare_host.internet, 7000, "udp")
    box.network(internet=True)
    for address, size, discover in (
        (INTERNET4, 1000, 2), (INTERNET4, 1000, 0), (INTERNET4, 4000, 0), (INTERNET6, 1000, 0), (INTERNET6, 4000, 0),
    ):  # fmt: skip
        said = box.run("python3", "-c", DATAGRAM, address, str(size), str(discover), check=False)
        assert said.stdout == "True\n", (address, size, discover, said.stderr)
    for address in (INTERNET4, INTERNET6):
        assert answers_ping(box, address)


def test_internet_uses_the_host_address(bare_host):
    box = Box(bare_host, "web")
    serve(bare_host.internet, 7000)
    serve(bare_host.internet, 7000, "udp")
    box.network(internet=True)
    for protocol in ("tcp", "udp"):
        assert call(box, INTERNET4, 7000, protocol) == "192.0.2.10"
        assert call(box, INTERNET6, 7000, protocol) == "2001:db8:1::10"
    box.network(internet=False)
    assert is_refused(box, INTERNET4, 7000)
    assert is_refused(box, INTERNET6, 7000)


def test_interface_limits_internet_to_one_uplink(bare_host):
    box = Box(bare_host, "web")
    serve(bare_host.internet, 7000)
    serve(bare_host.outside, 7000)
    box.network(internet=True, uplink="wan0")
    assert call(box, INTERNET4, 7000) == "192.0.2.10"
    assert is_refused(box, "198.51.100.2", 7000)
    box.network(internet=True, uplink="lan0")
    assert call(box, "198.51.100.2", 7000) == HOST4


def test_container_is_not_reachable_by_routing_through_the_host(bare_host):
    box = Box(bare_host, "web")
    serve(box, 8080)
    for options in ({}, {"internet": True}, {"expose": ["8080-80"]}):
        box.network(**options)
        for address in box.addresses():
            assert reaches(bare_host, address, 8080)
            assert is_refused(bare_host.outside, address, 8080)
            assert is_refused(bare_host.internet, address, 8080)


def test_two_containers_do_not_reach_each_other(bare_host):
    one, two = Box(bare_host, "one"), Box(bare_host, "two")
    one.network(internet=True)
    two.network(internet=True)
    serve(two, 8080)
    for address in two.addresses():
        assert reaches(bare_host, address, 8080)
        assert is_refused(one, address, 8080)


def test_without_host_access_the_host_still_reaches_the_container_but_not_the_reverse(bare_host):
    box = Box(bare_host, "web")
    box.network(host_access=False)
    serve(box, 8080)
    serve(bare_host, 9090)
    for address, gateway in zip(box.addresses(), (GATEWAY4, GATEWAY6)):
        assert reaches(bare_host, address, 8080)
        assert is_refused(box, gateway, 9090)
    assert is_refused(box, HOST4, 9090)
    box.network(host_access=True)
    assert reaches(box, HOST4, 9090)


@pytest.mark.parametrize("forged", ["10.87.0.77", "192.0.2.99", "fd87:c04d:c70::77", "2001:db8:1::99"])
def test_a_forged_source_address_is_dropped(bare_host, forged):
    box = Box(bare_host, "web")
    serve(bare_host, 9090, "udp")
    box.network(internet=True)
    gateway = GATEWAY6 if ":" in forged else GATEWAY4
    assert reaches(box, gateway, 9090, "udp")
    box.run("ip", "address", "add", forged, "dev", "eth0", *(["nodad"] if ":" in forged else []))
    bare_host.run("nft", "add table inet seen")
    bare_host.run("nft", "add chain inet seen pre { type filter hook prerouting priority -250; }")
    family = "ip6" if ":" in forged else "ip"
    bare_host.run("nft", f"add rule inet seen pre {family} saddr {forged} counter")
    assert is_refused(box, gateway, 9090, "udp", source=forged)
    assert "packets 0 " in bare_host.run("nft", "list", "table", "inet", "seen").stdout


def test_a_container_does_not_reach_the_hosts_loopback(bare_host):
    box = Box(bare_host, "web")
    box.network(expose=["8080-80"])
    serve(bare_host, 9090, address="127.0.0.1")
    # Root in the container routes 127.0.0.1 out, and accepts the replies.
    box.run("ip", "route", "add", "127.0.0.1", "via", GATEWAY4, "dev", "eth0", "table", "100")
    box.run("ip", "rule", "add", "pref", "1", "to", "127.0.0.1", "lookup", "100")
    box.run("ip", "rule", "add", "pref", "2", "lookup", "local")
    box.run("ip", "rule", "del", "pref", "0")
    box.run("sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1")
    link = json.loads(bare_host.run("ip", "-j", "link", "show", "web-outside").stdout)[0]["ifname"]
    bare_host.run("nft", "add table netdev seen")
    bare_host.run("nft", f"add chain netdev seen pre {{ type filter hook ingress device {link} priority -510; }}")
    bare_host.run("nft", "add rule netdev seen pre ip daddr 127.0.0.1 counter")
    assert is_refused(box, "127.0.0.1", 9090, source=box.addresses()[0])
    assert "packets 0 " not in bare_host.run("nft", "list", "table", "netdev", "seen").stdout, "it did arrive"


def test_internet_covers_uplinks_only(bare_host):
    """Like docker0 or virbr0: a network of the host that other hosts do not reach."""
    box, member = Box(bare_host, "web"), Box(bare_host, "member")
    netns = "conductor-member"
    for command in (
        f"ip link add br0 type veth peer name eth9 netns {netns}",
        "ip addr add 172.17.0.1/16 dev br0; ip link set br0 up",
        f"ip -n {netns} addr add 172.17.0.2/16 dev eth9; ip -n {netns} link set eth9 up",
        f"ip -n {netns} route add default via 172.17.0.1",
    ):
        bare_host.run("sh", "-ec", command)
    serve(member, 7000)
    serve(bare_host.internet, 7000)
    assert reaches(bare_host, "172.17.0.2", 7000)
    box.network(internet=True)
    assert reaches(box, INTERNET4, 7000)
    assert is_refused(box, "172.17.0.2", 7000)
    assert is_refused(box, OUTSIDE4, 7000)
    box.network(internet=True, uplink="br0")
    assert reaches(box, "172.17.0.2", 7000)


def test_drop_unicast_in_l2_multicast_does_not_block_containers(bare_host):
    for version in (4, 6):
        for which in ("all", "default"):
            bare_host.run("sysctl", "-qw", f"net.ipv{version}.conf.{which}.drop_unicast_in_l2_multicast=1")
    box = Box(bare_host, "web")
    box.network()
    serve(bare_host, 9090, "udp")
    for gateway in (GATEWAY4, GATEWAY6):
        assert reaches(box, gateway, 9090, "udp")


def test_internet_without_a_default_route_is_a_warning(bare_host):
    box = Box(bare_host, "web")
    assert "warnings" not in box.network(internet=True)
    bare_host.run("sh", "-c", "ip route del default; ip -6 route del default")
    assert "web: no interface of this host has a default route" in str(box.network(internet=True)["warnings"])


def test_internet_follows_the_default_route_with_the_next_run(bare_host):
    box = Box(bare_host, "web")
    serve(bare_host.outside, 7000)
    box.network(internet=True)
    assert is_refused(box, OUTSIDE4, 7000)
    bare_host.run("ip", "route", "replace", "0.0.0.0/1", "via", OUTSIDE4, "dev", "lan0")
    assert bare_host.module("conductor_network_info")["drift"] == ["the firewall set uplink lacks elements"]
    bare_host.module("conductor_network", state="reconciled")
    assert reaches(box, OUTSIDE4, 7000)


def watch(node, port):
    """Count the packets that arrive on `node` for a UDP port; returns a function for the number."""
    node.run("nft", "add table inet watch")
    node.run("nft", "add chain inet watch pre { type filter hook prerouting priority -350; }")
    node.run("nft", f"add rule inet watch pre udp dport {port} counter")
    return lambda: int(node.run("nft", "list", "table", "inet", "watch").stdout.split("packets ")[1].split()[0])


def test_forbidden_packets_do_not_arrive(bare_host):
    one, two = Box(bare_host, "one"), Box(bare_host, "two")
    one.network(internet=True, uplink="wan0")
    two.network()
    at_two, outside, internet = (watch(node, 7000) for node in (two, bare_host.outside, bare_host.internet))
    for node in (one, bare_host.outside, bare_host.internet):
        for address in two.addresses():
            assert is_refused(node, address, 7000, "udp")
    for address in (OUTSIDE4, OUTSIDE6):
        assert is_refused(one, address, 7000, "udp")
        assert is_refused(two, address, 7000, "udp")
    assert is_refused(two, INTERNET4, 7000, "udp")
    assert (at_two(), outside(), internet()) == (0, 0, 0)
    assert is_refused(bare_host, two.addresses()[0], 7000, "udp")
    assert is_refused(one, INTERNET6, 7000, "udp")
    assert (at_two(), internet()) == (1, 1), "what is allowed does"
