"""Parsing of ports, pools, addresses and specs."""

import ipaddress
import json
from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import Conflict, Damaged, InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import (
    NetworkSpec,
    PeerEntry,
    link_name,
    mac_of,
    parse_mac,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.options import NetworkOptions
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.pool import (
    allocate,
    gateway_of,
    is_assignable,
    overlapping,
    parse_pool,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import (
    Expose,
    PortRange,
    expose_warnings,
    find_overlap,
    parse_exposes,
    parse_port_ranges,
)
from hypothesis import given
from hypothesis import strategies as st

ports = st.integers(1, 65535)


@given(inner=ports, outer=ports, protocol=st.sampled_from(["", "/tcp", "/udp"]))
def test_short_form_has_the_container_port_first(inner, outer, protocol):
    expose = Expose.parse(f"{inner}-{outer}{protocol}")
    assert (expose.container_port, expose.host_port) == (inner, outer)
    assert expose.protocol == (protocol[1:] or "tcp")


@st.composite
def exposes(draw):
    count = draw(st.integers(1, 40))
    first = st.integers(1, 65536 - count)
    host_ip = draw(st.sampled_from(["", "0.0.0.0", "::", "192.0.2.1", "2001:db8::1"]))
    return Expose(draw(st.sampled_from(["tcp", "udp"])), draw(first), draw(first), count, host_ip)


@given(exposes())
def test_expose_round_trips_through_json(expose):
    assert Expose.parse(json.loads(json.dumps(expose.to_dict()))) == expose


@given(exposes(), exposes())
def test_exposes_overlap_if_one_packet_matches_both(one, other):
    def packets(expose):
        versions = {4: ["192.0.2.1", "192.0.2.9"], 6: ["2001:db8::1", "2001:db8::9"]}
        for version in expose.versions:
            for address in versions[version] if expose.any_address else [expose.host_ip]:
                for port in range(expose.host_port, expose.host_port + expose.count):
                    yield address, port, expose.protocol

    assert one.overlaps(other) == bool(set(packets(one)) & set(packets(other)))
    assert one.overlaps(other) == other.overlaps(one)


@given(st.lists(exposes(), max_size=8, unique=True))
def test_exposes_are_refused_if_two_of_them_overlap(listed):
    overlap = any(one.overlaps(other) for index, one in enumerate(listed) for other in listed[index + 1 :])
    try:
        found = parse_exposes(one.to_dict() for one in listed)
    except InvalidInput:
        assert overlap
        return
    assert not overlap and found == tuple(sorted(listed))


@given(st.lists(st.lists(exposes(), max_size=4), max_size=4), st.sets(st.integers(0, 3)))
def test_host_ports_of_two_containers_overlap_only_if_found(exposed, asking):
    owners = [(expose, str(number)) for number, listed in enumerate(exposed) for expose in listed]
    asking = {str(number) for number in asking}

    def is_overlap(one, other):
        return one[0].overlaps(other[0]) and not asking.isdisjoint({one[1], other[1]})

    found = find_overlap(owners, asking)
    if found is None:
        assert not any(is_overlap(one, other) for index, one in enumerate(owners) for other in owners[index + 1 :])
    else:
        assert is_overlap(*found) and {*found} <= {*owners}


def test_range_as_text_has_the_same_host_ports():
    assert Expose.parse("10000-20000:10000-20000/udp") == Expose("udp", 10000, 10000, 10001)
    assert Expose.parse("80:80") == Expose("tcp", 80, 80)
    assert Expose.parse({"container_port": "1-65535"}).count == 65535


@pytest.mark.parametrize("text", ["80:8080", "10000-10100:20000-20100", "10000-10100:10000-10200/udp"])
def test_range_as_text_with_different_sides_is_refused(text):
    with pytest.raises(InvalidInput, match="which port is the host port"):
        Expose.parse(text)


def test_range_with_different_host_ports_is_limited():
    assert Expose.parse({"container_port": "1-1024", "host_port": "2001-3024"}).count == 1024
    with pytest.raises(InvalidInput, match="at most 1024"):
        Expose.parse({"container_port": "1-1025", "host_port": "2001-3025"})


@pytest.mark.parametrize(("text", "warns"), [
    ("10000-20000/udp", True), ("10000-20000", True), ("50000-50100", True), ("30000-32767", True),
    ("21000-21010", True), ("5000-5001/udp", True), ("5353-9999/udp", True),
    ("8080-80", False), ("80-8080", False), ("53-5353/udp", False), ("8080-8081", False), ("8080-18080", False),
    ("3000-8000", False), ("5432-15432", False), ("51820-51820/udp", False), ("20000-10000/udp", False),
    ("5353-15353/udp", False), ("10000-10100:10000-10100", False),
    ({"container_port": 10000, "host_port": 20000}, False),
])  # fmt: skip
def test_pair_that_looks_like_a_range_is_a_warning(text, warns):
    found = expose_warnings([text])
    assert bool(found) == warns
    if warns:
        ports, slash, protocol = text.partition("/")
        assert f"'{ports}:{ports}/{protocol or 'tcp'}'" in found[0]
        Expose.parse(f"{ports}:{ports}{slash}{protocol}")


def test_duplicate_exposes_are_merged():
    assert parse_exposes(["8080-80", {"container_port": 8080, "host_port": "80"}]) == (Expose("tcp", 80, 8080),)
    with pytest.raises(InvalidInput, match="twice"):
        parse_exposes(["8080-80", {"container_port": 1, "host_port": 80, "host_ip": "192.0.2.1"}])


def test_host_ip_does_not_accept_a_number():
    with pytest.raises(InvalidInput, match="host_ip 8080"):
        Expose.parse({"container_port": 80, "host_ip": 8080})


@given(st.lists(st.tuples(st.sampled_from(["tcp", "udp"]), st.integers(1, 300), st.integers(0, 30))))
def test_port_ranges_are_merged_without_overlap_and_without_loss(ranges):
    merged = parse_port_ranges([f"{first}-{first + more}/{protocol}" for protocol, first, more in ranges])
    asked = {(protocol, first + i) for protocol, first, more in ranges for i in range(more + 1)}
    given_ = [(r.protocol, port) for r in merged for port in range(r.first, r.last + 1)]
    assert set(given_) == asked
    assert len(given_) == len(asked)
    assert parse_port_ranges([str(r) for r in merged]) == merged


def test_a_port_without_a_protocol_is_tcp():
    assert PortRange.parse("80") == PortRange.parse("80/tcp")
    for wrong in ("80/", "80/sctp", "0", "9-8", "x", "", "1-65536"):
        with pytest.raises(InvalidInput):
            PortRange.parse(wrong)


pools = st.sampled_from(["10.87.0.0/16", "10.0.0.0/30", "192.168.7.0/24", "fd87::/64", "fd87::/126"])


@given(pools, st.data())
def test_each_address_is_allocated_once_until_the_pool_is_full(text, data):
    pool = ipaddress.ip_network(text)
    free = min(300, pool.num_addresses - 2 - (pool.version == 4))
    taken = set()
    for _ in range(free):
        address = allocate(pool, taken)
        assert address not in taken
        assert is_assignable(pool, address)
        assert address != gateway_of(pool)
        taken.add(address)
    freed = data.draw(st.sampled_from(sorted(taken)))
    assert allocate(pool, taken - {freed}) == freed, "an address is used again"
    if free < 300:
        with pytest.raises(Conflict, match="no free address"):
            allocate(pool, taken)


def test_a_pool_serves_more_than_255_containers():
    pool = parse_pool("10.87.0.0/16", 4)
    assert allocate(pool, {f"10.87.0.{n}" for n in range(2, 256)}) == "10.87.1.0"


def test_addresses_of_other_pools_do_not_count():
    assert allocate(parse_pool("10.87.0.0/16", 4), {"10.88.0.2", "192.0.2.1"}) == "10.87.0.2"


def test_default_routes_do_not_overlap_a_pool_but_others_do():
    pool = parse_pool("10.87.0.0/16", 4)
    assert overlapping(pool, [("0.0.0.0/0", "eth0"), ("fd87::/64", "eth0"), ("192.0.2.0/24", "eth0")]) is None
    assert overlapping(pool, [("10.0.0.0/8", "vpn0")]) == ("10.0.0.0/8", "vpn0")
    assert overlapping(pool, [("10.87.3.4/24", "eth1")]) == ("10.87.3.0/24", "eth1")


@pytest.mark.parametrize(
    ("pool", "way_out"),
    [
        ("10.87.0.0/16", ["0.0.0.0/1", "128.0.0.0/1"]),
        ("10.87.0.0/16", ["0.0.0.0/5", "8.0.0.0/7", "10.0.0.0/7"]),
        ("192.168.7.0/24", ["192.0.0.0/9", "192.128.0.0/9", "192.168.0.0/15", "128.0.0.0/1"]),
        ("172.20.0.0/16", ["172.0.0.0/8", "160.0.0.0/3"]),
        ("100.64.9.0/24", ["100.0.0.0/8"]),
        ("198.51.0.0/16", ["128.0.0.0/1", "192.0.0.0/2", "198.0.0.0/7"]),
        ("fd87::/64", ["::/0", "8000::/1", "2000::/3", "fc00::/6"]),
    ],
)
def test_split_default_routes_do_not_overlap_a_pool(pool, way_out):
    assert overlapping(ipaddress.ip_network(pool), [(network, "tun0") for network in way_out]) is None


@given(st.data())
def test_network_in_the_private_block_overlaps_if_it_shares_addresses(data):
    block, least = data.draw(st.sampled_from([("10.0.0.0/8", 8), ("192.168.0.0/16", 16), ("fc00::/7", 7)]))
    base = ipaddress.ip_network(block)

    def network():
        length = data.draw(st.integers(least, base.max_prefixlen - 2))
        address = int(base.network_address) + data.draw(st.integers(0, base.num_addresses - 1))
        return ipaddress.ip_network((address, length), strict=False)

    pool, other = network(), network()
    if data.draw(st.booleans()):
        other = data.draw(st.sampled_from([pool, pool.supernet(new_prefix=least), next(pool.subnets())]))
    assert (overlapping(pool, [("0.0.0.0/0", "a"), ("::/0", "a"), (str(other), "b")]) is not None) == pool.overlaps(
        other
    )


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=63))
def test_link_name_fits_the_kernel_limit(name):
    assert len(link_name(name)) <= 15
    assert parse_mac(mac_of(name)) == mac_of(name)


SPEC = NetworkSpec(
    "id1", "10.87.0.2", "10.87.0.1", "02:00:00:00:00:01", "fd87::2", "fd87::1", dns=("192.0.2.1",),
    expose=(Expose("udp", 80, 8080, 3, "192.0.2.1"),), peers=(PeerEntry("db", "id2", (PortRange("tcp", 1, 9),)),),
)  # fmt: skip


def test_spec_round_trips_through_json():
    named = replace(SPEC, dns_search=("a.example",), dns_options=(), extra_hosts=(("db", ("192.0.2.7",)),))
    for spec in (SPEC, replace(SPEC, host_access=False, metadata=True), named):
        assert NetworkSpec.from_dict(json.loads(json.dumps(spec.to_dict())), "network.json") == spec


def test_spec_without_metadata_key_means_false():
    stored = SPEC.to_dict()
    del stored["metadata"]
    assert NetworkSpec.from_dict(stored, "network.json") == SPEC
    assert SPEC.metadata is False


@pytest.mark.parametrize("way", [{"internet": True, "host_access": False}, {"host_access": True}, {}])
def test_metadata_requires_internet_or_host_access(way):
    assert NetworkOptions.parse({"metadata": True, **way}, "10.87.0.0/24", "fd87::/64", None).metadata
    with pytest.raises(InvalidInput, match="internet and host_access are false"):
        NetworkOptions.parse({"metadata": True, "host_access": False}, "10.87.0.0/24", "fd87::/64", None)


@given(st.sampled_from(sorted(SPEC.to_dict())), st.sampled_from([None, 7, "x", [], {}, [{}], ["x"], {"a": 1}]))
def test_damaged_spec_raises_damaged_with_its_path(key, value):
    stored = {**SPEC.to_dict(), key: value}
    try:
        NetworkSpec.from_dict(stored, "network.json")
    except Damaged as error:
        assert "network.json is damaged" in str(error)
    del stored[key]
    if key in ("metadata", "dns_search", "dns_options", "extra_hosts", "stand_in"):
        return  # files of earlier versions lack it
    with pytest.raises(Damaged, match=r"network\.json is damaged"):
        NetworkSpec.from_dict(stored, "network.json")


@pytest.mark.parametrize("zoned", [
    {"ipv6": "fd87::2%eth0"}, {"gateway6": "fd87::1%eth0"},
    {"dns": ["fe80::1%"]}, {"dns": ["fe80::1%eth0\nsearch example.org"]}, {"dns": ["192.0.2.7%eth0"]},
    {"extra_hosts": {"db": ["fe80::1%0123456789abcdef"]}}, {"extra_hosts": {"db": ["fe80::1%eth0 other"]}},
])  # fmt: skip
def test_stored_address_with_a_zone_that_is_not_allowed_is_damage(zoned):
    with pytest.raises(Damaged, match=r"network\.json is damaged .*has an? (invalid )?zone"):
        NetworkSpec.from_dict({**SPEC.to_dict(), **zoned}, "network.json")


def test_name_servers_and_hosts_may_have_a_zone():
    """They are only in resolv.conf and hosts, which know zones."""
    options = {"dns": ["FE80::1%eth0"], "extra_hosts": {"db": "fe80::2%ens3.10"}}
    parsed = NetworkOptions.parse(options, "10.87.0.0/24", "fd87::/64", None)
    assert parsed.dns == ("fe80::1%eth0",) and parsed.extra_hosts == (("db", ("fe80::2%ens3.10",)),)
    spec = replace(SPEC, dns=parsed.dns, extra_hosts=parsed.extra_hosts)
    assert NetworkSpec.from_dict(spec.to_dict(), "network.json") == spec


def test_stored_expose_with_a_zone_is_left_out():
    """Earlier releases stored it, and nft refuses it."""
    zoned = {**SPEC.expose[0].to_dict(), "host_ip": "fe80::1%eth0"}
    assert NetworkSpec.from_dict({**SPEC.to_dict(), "expose": [zoned]}, "network.json") == replace(SPEC, expose=())
