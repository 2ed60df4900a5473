"""Faults of real hosts: flushed tables, deleted links, ports and addresses in use, concurrent runs."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from attacks import patched
from netbox import GATEWAY4, HOST4, Box, is_refused, reaches, serve
from seams.faults import hide_pyroute2
from snapshot import difference, take
from testhost import PYTHON, module_environment


def info(host, **options):
    return host.module("conductor_network_info", **options)


def drift(host):
    found = info(host)
    return found["drift"] + [text for network in found["networks"] for text in network["drift"]]


@pytest.fixture
def web(bare_host):
    box = Box(bare_host, "web")
    serve(box, 8080)
    box.network(internet=True, expose=["8080-80"])
    return box


BREAKAGES = {
    "a flushed ruleset": ["nft", "flush", "ruleset"],
    "a deleted interface": ["sh", "-c", "ip link del web-outside"],
    "an interface that is down": ["sh", "-c", "ip link set web-outside down"],
    "a lost address inside": ["ip", "-n", "conductor-web", "address", "del", "10.87.0.2/32", "dev", "eth0"],
    "a lost IPv6 address inside": [
        "ip",
        "-n",
        "conductor-web",
        "-6",
        "address",
        "flush",
        "dev",
        "eth0",
        "scope",
        "global",
    ],
    "a lost route": ["sh", "-c", "ip route del 10.87.0.2"],
    "a lost default route inside": ["ip", "-n", "conductor-web", "route", "del", "default"],
    "a changed mtu": ["sh", "-c", "ip link set web-outside mtu 1300"],
    "a flushed chain": ["nft", "flush", "chain", "inet", "conductor", "through"],
    "an added rule": ["nft", "insert", "rule", "inet", "conductor", "through", "accept"],
    "a deleted element": ["sh", "-c", "nft flush set inet conductor internet"],
    "a stray element": ["nft", "add", "element", "inet", "conductor", "internet", "{ cdtr-0000000000 }"],
    "a redirected port": ["sh", "-c", "nft flush map inet conductor expose4"],
    "a stray link": ["ip", "link", "add", "cdtr-ffffffffff", "type", "veth", "peer", "name", "stray"],
    "a removed guard": ["sh", "-c", "tc qdisc del dev $(basename /sys/class/net/cdtr-*) clsact"],
    "a removed table netdev conductor": ["nft", "delete", "table", "netdev", "conductor"],
    "a flushed chain of a link": ["sh", "-c", "nft flush chain netdev conductor $(basename /sys/class/net/cdtr-*)"],
    "a removed routing rule": ["ip", "rule", "del", "pref", "89", "iif", "wan0"],
    "a removed route of the fence": ["sh", "-c", "ip route flush table 1667527794"],
    "forwarding off": ["sysctl", "-qw", "net.ipv4.ip_forward=0"],
    "route_localnet off": ["sh", "-c", "for f in /proc/sys/net/ipv4/conf/cdtr-*/route_localnet; do echo 0 > $f; done"],
    "a changed /etc/hosts inside": ["sh", "-c", "echo > /var/lib/conductor/containers/web/rootfs/etc/hosts"],
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_reconciled_repairs(bare_host, web, breakage):
    assert drift(bare_host) == []
    assert not bare_host.module("conductor_network", state="reconciled")["changed"]
    bare_host.run(*BREAKAGES[breakage])
    assert drift(bare_host) != []
    predicted = bare_host.module("conductor_network", state="reconciled", check=True)
    assert predicted["changed"]
    done = bare_host.module("conductor_network", state="reconciled")
    assert done["actions"] == predicted["actions"]
    assert drift(bare_host) == []
    assert reaches(bare_host.outside, HOST4, 80)
    assert not bare_host.module("conductor_network", state="reconciled")["changed"]


@pytest.mark.parametrize("breakage", ["a flushed ruleset", "a deleted interface", "a lost route"])
def test_present_repairs_its_own_container_too(bare_host, web, breakage):
    bare_host.run(*BREAKAGES[breakage])
    assert web.network(internet=True, expose=["8080-80"])["changed"]
    assert reaches(bare_host.outside, HOST4, 80)


def test_check_mode_predicts_and_changes_nothing(bare_host):
    box = Box(bare_host, "web")
    before = take(bare_host)
    predicted = bare_host.module("conductor_network", container="web", internet=True, check=True)
    assert difference(before, take(bare_host)) == []
    done = box.network(internet=True)
    assert done["actions"] == predicted["actions"]
    assert done["diff"] == predicted["diff"]


def test_absent_leaves_nothing_and_frees_the_address(bare_host, web):
    other = Box(bare_host, "other")
    gone = web.network(state="absent")
    assert gone["changed"] and gone["network"] is None
    assert not web.network(state="absent")["changed"]
    assert not bare_host.module("conductor_network", container="nobody", state="absent")["changed"]
    assert "cdtr-" not in bare_host.run("ip", "link").stdout
    assert "conductor" not in bare_host.run("nft", "list", "ruleset").stdout
    assert other.network()["network"]["ipv4"] == "10.87.0.2"


def test_other_rules_namespaces_and_resolv_conf_are_kept(bare_host):
    def others():
        ruleset = bare_host.run("nft", "list", "table", "inet", "bystander").stdout
        files = bare_host.run("sha256sum", "/etc/resolv.conf", "/etc/hosts").stdout
        return ruleset, files, bare_host.run("stat", "-c", "%i", "/run/netns/bystander").stdout

    before = others()
    box = Box(bare_host, "web")
    box.network(internet=True, expose=["8080-80"])
    assert others() == before
    assert box.file("/etc/resolv.conf") == "# BEGIN conductor\nnameserver 192.0.2.53\n# END conductor\n"
    box.network(state="absent")
    assert others() == before


def test_a_name_of_63_characters_works(bare_host):
    name = "n" * 63
    box = Box(bare_host, name)
    serve(box, 8080)
    box.network(expose=["8080-80"])
    assert reaches(bare_host.outside, HOST4, 80)
    assert f"altname {name}-outside" in bare_host.run("ip", "link").stdout
    assert f"altname {name}-inside" in box.run("ip", "link").stdout


def test_mtu_mac_and_address_change_live(bare_host, web):
    result = web.network(mtu=1400, mac="02:00:00:00:00:07", ipv4="10.87.9.9", ipv6="fd87:c04d:c70:0::99")["network"]
    assert (result["ipv4"], result["ipv6"]) == ("10.87.9.9", "fd87:c04d:c70::99")
    shown = web.run("ip", "link", "show", "eth0").stdout
    assert "mtu 1400" in shown and "02:00:00:00:00:07" in shown
    assert reaches(bare_host, "10.87.9.9", 8080)
    assert reaches(bare_host, "fd87:c04d:c70::99", 8080)
    assert "10.87.9.9 web" in web.file("/etc/hosts")
    assert not web.network(mtu=1400)["changed"], "addresses stay when they are not named"


def test_dns_is_written_inside_only_and_over_a_link(bare_host):
    box = Box(bare_host, "web")
    bare_host.run("ln", "-s", "/etc/hosts", f"{box.root}/etc/resolv.conf")
    hosts = bare_host.run("cat", "/etc/hosts").stdout
    box.network(dns=["192.0.2.1", "2001:DB8::1"])
    block = "# BEGIN conductor\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n# END conductor\n"
    assert box.file("/etc/resolv.conf") == block
    assert bare_host.run("cat", "/etc/hosts").stdout == hosts


def test_a_loopback_resolver_of_the_host_is_replaced_by_the_one_behind_it(bare_host):
    bare_host.run("tee", "/etc/resolv.conf", stdin="nameserver 127.0.0.53\noptions edns0\nsearch example.org\n")
    bare_host.run("mkdir", "-p", "/run/systemd/resolve")
    bare_host.run("tee", "/run/systemd/resolve/resolv.conf", stdin="nameserver 192.0.2.7\nsearch example.org\n")
    box = Box(bare_host, "web")
    box.network(internet=True)
    block = "# BEGIN conductor\nnameserver 192.0.2.7\nsearch example.org\n# END conductor\n"
    assert box.file("/etc/resolv.conf") == block


def test_twenty_concurrent_runs_get_distinct_addresses(bare_host):
    names = [f"c{number}" for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: Box(bare_host, name), names))
    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(lambda name: bare_host.module("conductor_network", container=name), names))
    assert {r["network"]["ipv4"] for r in results} == {f"10.87.0.{number}" for number in range(2, 22)}
    assert len({r["network"]["ipv6"] for r in results}) == 20
    assert drift(bare_host) == []
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda n: bare_host.module("conductor_network", container=n, state="absent"), names))
    assert "cdtr-" not in bare_host.run("ip", "link").stdout


def test_host_port_of_another_container_is_a_conflict(bare_host, web):
    other = Box(bare_host, "other")
    before = take(bare_host)
    for expose in ("9090-80", {"container_port": 1, "host_port": 80, "host_ip": HOST4}, {"container_port": "70-90"}):
        said = other.host.module("conductor_network", container="other", expose=[expose], fails=True)["msg"]
        assert "exposed by container web" in said
    assert difference(before, take(bare_host)) == []
    other.network(expose=["9090-80/udp"])


@pytest.mark.parametrize(
    ("address", "protocol", "expose", "clash"),
    [
        ("::", "tcp", "8080-7000", True),
        ("0.0.0.0", "udp", "8080-7000/udp", True),
        ("127.0.0.1", "tcp", "8080-7000", True),
        ("127.0.0.1", "tcp", {"container_port": 8080, "host_port": 7000, "host_ip": HOST4}, False),
        ("::", "tcp", {"container_port": 8080, "host_port": 7000, "host_ip": HOST4}, True),
        ("::", "tcp", "8080-7000/udp", False),
        ("0.0.0.0", "tcp", {"container_port": 8080, "host_port": 7000, "host_ip": "::"}, False),
    ],
)
def test_host_port_in_use_is_a_conflict_that_names_the_process(bare_host, address, protocol, expose, clash):
    box = Box(bare_host, "web")
    serve(bare_host, 7000, protocol, address)
    before = take(bare_host)
    if not clash:
        assert box.network(expose=[expose])["changed"]
        return
    said = bare_host.module("conductor_network", container="web", expose=[expose], fails=True)["msg"]
    assert "host port 7000/" in said and "python3 (pid " in said
    assert difference(before, take(bare_host)) == []


def test_a_pool_that_overlaps_the_hosts_networks_is_refused_and_names_them(bare_host):
    Box(bare_host, "web")
    bare_host.run("ip", "route", "add", "10.99.0.0/16", "via", "192.0.2.1")
    for option, pool, clash in (
        ("pool4", "198.51.0.0/16", "198.51.100.0/24 on lan0"),
        ("pool4", "10.99.5.0/24", "10.99.0.0/16 on wan0"),
        ("pool6", "2001:db8::/32", "on "),
    ):
        said = bare_host.module("conductor_network", container="web", fails=True, **{option: pool})["msg"]
        assert "overlaps" in said and clash in said and option in said


def test_unrelated_routes_do_not_conflict_with_a_pool(bare_host):
    """A VPN that takes all (openvpn's def1, WireGuard's AllowedIPs in pieces), discarded networks, other tables."""
    for route in (
        "0.0.0.0/1 via 192.0.2.1", "128.0.0.0/1 via 192.0.2.1", "8.0.0.0/7 via 192.0.2.1",
        "blackhole 10.0.0.0/8", "unreachable 10.87.0.0/16", "prohibit 10.87.4.0/24", "throw 10.87.5.0/24",
        "10.87.0.0/16 via 192.0.2.1 table 700", "blackhole 10.87.0.0/24 table 700",
        "8000::/1 via 2001:db8:1::1", "blackhole fd00::/8", "fd87:c04d:c70::/48 via 2001:db8:1::1 table 700",
    ):  # fmt: skip
        bare_host.run("ip", "route", "add", *route.split())
    web = Box(bare_host, "web")
    assert web.network()["changed"]
    serve(web, 8080)
    for address in web.addresses():
        assert reaches(bare_host, address, 8080)


def test_a_network_in_a_table_that_rules_name_is_a_conflict(bare_host):
    Box(bare_host, "web")
    bare_host.run("ip", "route", "add", "10.87.0.0/16", "via", "192.0.2.1", "table", "700")
    bare_host.run("ip", "rule", "add", "to", "10.87.0.0/16", "lookup", "700")
    said = bare_host.module("conductor_network", container="web", fails=True)["msg"]
    assert "10.87.0.0/16 on wan0" in said and "pool4" in said


def test_another_pool_moves_the_container(bare_host, web):
    result = web.network(pool4="10.99.0.0/24", pool6="fd99::/64")["network"]
    assert (result["ipv4"], result["gateway4"], result["ipv6"]) == ("10.99.0.2", "10.99.0.1", "fd99::2")
    assert reaches(bare_host, "10.99.0.2", 8080)
    serve(bare_host, 9090)
    assert reaches(web, "10.99.0.1", 9090)
    assert is_refused(web, GATEWAY4, 9090)


def test_full_pool_is_a_conflict(bare_host):
    for name in ("one", "two"):
        Box(bare_host, name)
    bare_host.module("conductor_network", container="one", pool4="10.99.0.0/30")
    said = bare_host.module("conductor_network", container="two", pool4="10.99.0.0/30", fails=True)["msg"]
    assert "10.99.0.0/30 has no free address" in said


def test_damaged_file_does_not_affect_other_containers(bare_host, web):
    other, third = Box(bare_host, "other"), Box(bare_host, "third")
    other.network()
    bare_host.module("conductor_network", state="reconciled")
    serve(other, 8080)
    bare_host.run("tee", f"{web.directory}/network.json", stdin='{"version": 1, "ipv4": ')
    damaged = f"{web.directory}/network.json is damaged"
    assert damaged in bare_host.module("conductor_network", container="web", fails=True)["msg"]
    assert damaged in third.host.module("conductor_network", container="third", fails=True)["msg"]
    assert damaged in " ".join(drift(bare_host))
    assert other.network(expose=["8080-81"])["changed"]
    assert reaches(bare_host.outside, HOST4, 81)
    assert reaches(bare_host.outside, HOST4, 80), "what the damaged one had stays"
    assert bare_host.module("conductor_network", state="reconciled")["actions"] == []


def test_forwarding_require_changes_no_sysctl_and_says_so(bare_host):
    box = Box(bare_host, "web")
    bare_host.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    said = bare_host.module("conductor_network", container="web", forwarding="require", fails=True)["msg"]
    assert "does not forward IPv4" in said
    assert bare_host.run("sysctl", "-n", "net.ipv4.ip_forward").stdout == "0\n"
    assert "enable IPv4 forwarding" in box.network()["actions"]


def test_a_default_route_learned_by_advertisement_survives_forwarding(bare_host):
    bare_host.run("sysctl", "-qw", "net.ipv6.conf.all.forwarding=0", "net.ipv6.conf.wan0.accept_ra=1")
    bare_host.run("ip", "-6", "route", "replace", "default", "via", "2001:db8:1::1", "dev", "wan0", "proto", "ra")
    Box(bare_host, "web").network()
    assert "proto ra" in bare_host.run("ip", "-6", "route", "show", "default").stdout
    assert bare_host.run("sysctl", "-n", "net.ipv6.conf.wan0.accept_ra").stdout == "2\n"


def test_a_host_without_ipv6_gives_ipv4_alone(bare_host):
    bare_host.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
    box = Box(bare_host, "web")
    serve(box, 8080, address="0.0.0.0")
    said = bare_host.module("conductor_network", container="web", ipv6="fd87:c04d:c70::9", fails=True)["msg"]
    assert "no IPv6" in said
    assert box.network(expose=["8080-80"])["network"]["ipv6"] is None
    assert reaches(bare_host.outside, HOST4, 80)
    assert not box.network(expose=["8080-80"])["changed"]
    bare_host.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0")
    assert box.network(expose=["8080-80"])["network"]["ipv6"] == "fd87:c04d:c70::2"
    assert reaches(bare_host, "127.0.0.1", 80)


def test_without_pyroute2_the_error_says_what_to_install(bare_host):
    Box(bare_host, "web")
    said = patched(bare_host, "conductor_network", seams=[hide_pyroute2], container="web", fails=True)["msg"]
    assert "python3-pyroute2" in said


BAD_INPUT = [
    ({"expose": ["80"]}, "CONTAINER_PORT-HOST_PORT"),
    ({"expose": ["0-80"]}, "not a port"),
    ({"expose": ["8080-70000"]}, "not a port"),
    ({"expose": ["8080-80/icmp"]}, "tcp or udp"),
    ({"expose": [{"host_port": 80}]}, "container_port is missing"),
    ({"expose": [{"container_port": "1-10", "host_port": "1-9"}]}, "differ in length"),
    ({"expose": [{"container_port": "1-2000", "host_port": "2001-4000"}]}, "at most 1024"),
    ({"expose": ["80:8080"]}, "which port is the host port"),
    ({"dns_search": ["a b"]}, "not a domain"),
    ({"dns_options": ["a b"]}, "not an option of resolv.conf"),
    ({"extra_hosts": {"a b": "192.0.2.7"}}, "not a host name"),
    ({"extra_hosts": {"db": "nowhere"}}, "Use an IP address"),
    ({"expose": [{"container_port": 80, "host_ip": "localhost"}]}, "not an IP address"),
    ({"expose": [{"container_port": 80, "hostport": 80}]}, "unknown key 'hostport'"),
    ({"expose": [80]}, "not valid"),
    ({"expose": ["8080-80", "8081-80"]}, "twice"),
    ({"ipv4": "10.88.0.2"}, "address of pool4"),
    ({"ipv4": "10.87.0.1"}, "gateway"),
    ({"ipv4": "10.87.255.255"}, "cannot be a container's address"),
    ({"ipv4": "fd87:c04d:c70::2"}, "cannot be a container's address"),
    ({"ipv4": "ten"}, "not an IP address"),
    ({"ipv6": "fd88::2"}, "address of pool6"),
    ({"mac": "01:00:00:00:00:01"}, "not a unicast MAC address"),
    ({"mac": "nothing"}, "not a unicast MAC address"),
    ({"mtu": 1000}, "1280 to 65535"),
    ({"dns": ["dns.example"]}, "not an IP address"),
    ({"expose": [{"container_port": 80, "host_ip": "fe80::1%eth0"}]}, "host_ip 'fe80::1%eth0' has a zone"),
    ({"ipv6": "fd87:c04d:c70::5%eth0"}, "has a zone"),
    ({"dns": ["fe80::1%eth0 x"]}, "has an invalid zone"),
    ({"extra_hosts": {"db": "192.0.2.7%eth0"}}, "has an invalid zone"),
    ({"pool6": "fd88::%eth0/64"}, "has a zone"),
    ({"pool4": "10.87.0.1/16"}, "not a network"),
    ({"pool4": "10.87.0.0/31"}, "cannot serve"),
    ({"pool4": "fd87::/64"}, "cannot serve"),
    ({"pool6": "10.0.0.0/8"}, "cannot serve"),
    ({"pool4": "127.0.0.0/16"}, "cannot serve"),
    ({"uplink": "wan0"}, "internet is false"),
    ({"uplink": "a name/with", "internet": True}, "not a valid interface name"),
    ({"container": "nobody"}, "container nobody does not exist"),
    ({"container": "../web"}, "not a valid name"),
    ({"container": None}, "container"),
    ({"state": "reconciled"}, "for all containers"),
]


def test_bad_input_is_refused_in_one_line_and_changes_nothing(bare_host):
    Box(bare_host, "web")
    before = take(bare_host)
    for options, said in BAD_INPUT:
        message = bare_host.module("conductor_network", fails=True, **{"container": "web", **options})["msg"]
        assert said in message, options
        assert "\n" not in message
    assert difference(before, take(bare_host)) == []


VANISHES = """
import subprocess
from ansible_collections.conductor.containers.plugins.module_utils._errors import EffectFailed
from ansible_collections.conductor.containers.plugins.module_utils._kernel.interfaces import open_rtnetlink

subprocess.run("ip link add cdtr-gone type veth peer name cdtr-other", shell=True, check=True)
try:
    with open_rtnetlink() as host:
        index = host.index("cdtr-gone")
        subprocess.run("ip link del cdtr-gone", shell=True, check=True)
        host.set_up(index)
except EffectFailed as error:
    print(error)
"""


def test_vanished_interface_is_reported(bare_host):
    """Seen in the soak test: another program deletes the interface between two actions."""
    said = bare_host.run(PYTHON, "-c", VANISHES, env=module_environment()).stdout
    assert "an interface vanished" in said and "Run this again" in said
