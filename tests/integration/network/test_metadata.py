"""Metadata services of clouds are reachable only with metadata: true."""

import pytest
from netbox import GATEWAY4, HOST4, INTERNET4, INTERNET6, OUTSIDE4, Box, answers_ping, call, is_refused, reaches, serve

METADATA = ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "169.254.170.2", "fd20:ce::254")
LINK_LOCAL = "169.254.1.1"
ARRIVED = (
    "add table inet seen;"
    "add chain inet seen arrived { type filter hook prerouting priority -350; };"
    "add rule inet seen arrived meta l4proto != icmpv6 counter"
)


def give(node, *addresses):
    for address in addresses:
        node.run("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))


@pytest.fixture
def cloud(bare_host):
    """A host whose default route leads to metadata services."""
    give(bare_host.internet, *METADATA, LINK_LOCAL)
    for protocol in ("tcp", "udp"):
        serve(bare_host.internet, 80, protocol)
    return bare_host


def test_internet_excludes_metadata_services(cloud):
    box = Box(cloud, "web")
    box.network(internet=True)
    for address in (*METADATA, LINK_LOCAL):
        assert reaches(cloud, address, 80), "the host itself may"
    assert reaches(box, INTERNET4, 80)
    assert reaches(box, INTERNET6, 80)
    cloud.internet.run("nft", ARRIVED)
    for address in (*METADATA, LINK_LOCAL):
        for protocol in ("tcp", "udp"):
            assert is_refused(box, address, 80, protocol)
        assert not answers_ping(box, address, 0.7)
    assert "packets 0 " in cloud.internet.run("nft", "list", "table", "inet", "seen").stdout


def test_metadata_allows_only_metadata_addresses(cloud):
    box, other = Box(cloud, "web"), Box(cloud, "other")
    other.network(internet=True)
    assert box.network(internet=True, metadata=True, check=True)["changed"]
    first = box.network(internet=True, metadata=True)
    assert first["changed"] and first["network"]["metadata"] is True
    assert not box.network(internet=True, metadata=True)["changed"]
    for address in METADATA:
        assert reaches(box, address, 80)
        assert is_refused(other, address, 80)
    assert is_refused(box, LINK_LOCAL, 80)
    box.network(internet=True)
    assert is_refused(box, METADATA[0], 80)


def test_metadata_alone_is_refused(cloud):
    box = Box(cloud, "web")
    box.network(metadata=True)
    assert is_refused(box, METADATA[0], 80)
    said = cloud.module("conductor_network", container="web", metadata=True, host_access=False, fails=True)["msg"]
    assert "internet and host_access are false" in said


def test_a_name_server_on_the_metadata_address_answers(cloud):
    box = Box(cloud, "web")
    for protocol in ("tcp", "udp"):
        serve(cloud.internet, 53, protocol)
    box.network(internet=True)
    for protocol in ("tcp", "udp"):
        assert reaches(box, METADATA[0], 53, protocol)
        assert reaches(box, METADATA[1], 53, protocol)
    box.network()
    assert is_refused(box, METADATA[0], 53)


@pytest.mark.parametrize("address", METADATA[:2])
def test_metadata_proxy_on_the_host_is_not_reachable(bare_host, address):
    box = Box(bare_host, "web")
    give(bare_host, address)
    serve(bare_host, 80)
    box.network()
    assert reaches(box, GATEWAY4, 80)
    assert is_refused(box, address, 80)
    box.network(metadata=True)
    assert reaches(box, address, 80)
    box.network(metadata=True, internet=True, host_access=False)
    assert is_refused(box, address, 80)


def test_redirect_of_metadata_to_a_proxy_excludes_containers(bare_host):
    box = Box(bare_host, "web")
    serve(bare_host, 9090)
    bare_host.run("nft", "add table ip proxy")
    bare_host.run("nft", "add chain ip proxy pre { type nat hook prerouting priority dstnat; }")
    bare_host.run("nft", f"add rule ip proxy pre ip daddr 169.254.169.254 tcp dport 80 dnat to {HOST4}:9090")
    box.network()
    assert is_refused(box, "169.254.169.254", 80)
    box.network(metadata=True)
    assert reaches(box, "169.254.169.254", 80)


def test_cloud_health_check_of_an_exposed_port_is_answered(bare_host):
    box = Box(bare_host, "web")
    serve(box, 8080)
    # Azure's load balancer calls from an address that serves metadata as well.
    give(bare_host.outside, "168.63.129.16")
    bare_host.run("ip", "route", "add", "168.63.129.16", "via", OUTSIDE4)
    box.network(expose=["8080-80"])
    assert call(bare_host.outside, HOST4, 80, source="168.63.129.16") == "168.63.129.16"


def test_drift_of_the_metadata_set_is_reported_and_repaired(cloud):
    box, other = Box(cloud, "web"), Box(cloud, "other")
    mine = box.network(internet=True, metadata=True)["network"]["link"]
    others = other.network(internet=True)["network"]["link"]
    cloud.run("nft", f"delete element inet conductor metadata {{ {mine} }}")
    cloud.run("nft", f"add element inet conductor metadata {{ {others} }}")
    found = cloud.module("conductor_network_info")
    drift = {network["container"]: network["drift"] for network in found["networks"]}
    assert drift == {"web": ["the firewall set metadata lacks elements"], "other": []}
    assert found["drift"] == ["the firewall set metadata has unexpected elements"]
    cloud.module("conductor_network", state="reconciled")
    assert reaches(box, METADATA[0], 80)
    assert is_refused(other, METADATA[0], 80)
