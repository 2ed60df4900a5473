"""Files inside with host names and name servers: marked blocks, whose other lines are kept."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.change_spec import (
    wanted_spec,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.hosts_files import inside_files
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.marked_block import with_block
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.peers import PeerOptions, plan_peer
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.resolv_conf import name_server_warnings
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.result import network_result
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import (
    ContainerView,
    HostDns,
    NetworkView,
    Resolver,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import link_name
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.options import NetworkOptions
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import parse_port_ranges
from hypothesis import given
from hypothesis import strategies as st

OWN_HOSTS = b"10.9.9.9 mine\n# BEGIN conductor\n10.9.9.8 stale\n# END conductor\n10.9.9.7 too\n"


def asked_with(**params) -> NetworkOptions:
    return NetworkOptions.parse(params, "10.87.0.0/24", "fd87::/64", params.get("uplink"))


def test_hosts_file_has_own_names_and_names_of_peers():
    view = NetworkView(
        containers={n: ContainerView(n, n, h) for n, h in (("a", "www"), ("b", "b"))},
        host_dns=HostDns((Resolver("192.0.2.53"),), ("example.org",)),
    )
    hosts = inside_files(view, "a", "www", {})["/etc/hosts"]
    assert hosts.startswith(b"# BEGIN conductor\n127.0.1.1 www a\n# END conductor\n127.0.0.1 localhost\n")
    asked = NetworkOptions.parse({"internet": True}, "10.87.0.0/24", "fd87::/64", None)
    for name in ("a", "b"):
        view = view.with_spec(name, wanted_spec(view, name, asked))
    view = plan_peer(view, PeerOptions("b", "a", both=False))[1]
    assert b"b\n" not in inside_files(view, "a", "www", {})["/etc/hosts"]
    files = inside_files(view, "b", "b", {})
    assert files["/etc/hosts"].startswith(
        b"# BEGIN conductor\n10.87.0.3 b\nfd87::3 b\n10.87.0.2 a www\nfd87::2 a www\n# END conductor\n"
    )
    assert files["/etc/resolv.conf"] == (
        b"# BEGIN conductor\nnameserver 192.0.2.53\nsearch example.org\n# END conductor\n"
    )


def test_other_lines_and_position_of_block_are_kept():
    view = NetworkView(containers={"a": ContainerView("a", "a", "a")})
    found = inside_files(view, "a", "a", {"/etc/hosts": OWN_HOSTS})["/etc/hosts"]
    assert found == b"10.9.9.9 mine\n# BEGIN conductor\n127.0.1.1 a\n# END conductor\n10.9.9.7 too\n"
    assert inside_files(view, "a", "a", {"/etc/hosts": found})["/etc/hosts"] == found


lines_of_hosts = st.lists(
    st.sampled_from(
        [
            b"# BEGIN conductor",
            b"# END conductor",
            b"",
            b"1.2.3.4 x",
            b"\xff",
            b"# BEGIN conductors",
            b" # END conductor ",
        ]
    )
)


@given(lines_of_hosts, st.sampled_from([b"", b"\n", b"\r\n"]))
def test_writing_a_block_is_idempotent(lines, end):
    content = b"\n".join(lines) + end
    once = with_block(content, ["10.87.0.2 a"])
    assert with_block(once, ["10.87.0.2 a"]) == once
    assert once.count(b"10.87.0.2 a\n") == 1
    kept = [line for line in once.splitlines() if line == b"1.2.3.4 x"]
    assert len(kept) <= lines.count(b"1.2.3.4 x")
    if b"# BEGIN conductor" not in lines:
        assert len(kept) == lines.count(b"1.2.3.4 x")


@pytest.mark.parametrize(("server", "more", "taken"), [
    (Resolver("192.0.2.53", False, "wan0"), {}, True),
    (Resolver("127.0.0.1", True, "lo"), {}, False),
    (Resolver("127.0.0.53", True, "lo"), {}, False),
    (Resolver("::1", True, "lo"), {}, False),
    (Resolver("0.0.0.0", True, "lo"), {}, False),
    (Resolver("fe80::1%2"), {}, False),
    (Resolver("fe80::1", False, "wan0"), {}, False),
    (Resolver("10.9.9.9", True, "lo"), {}, True),
    (Resolver("10.9.9.9", True, "lo"), {"host_access": False}, False),
    (Resolver("10.9.9.9", True, "lo"), {"uplink": "wan0"}, True),
    (Resolver("192.0.2.53", False, "wan0"), {"host_access": False, "uplink": "wan0"}, True),
    (Resolver("198.51.100.53", False, "lan0"), {"uplink": "wan0"}, False),
    (Resolver("2001:db8::53", False, "wan0"), {}, True),
    (Resolver("192.0.2.53"), {"uplink": "wan0"}, True),
    (Resolver("100.100.100.100", False, "tailscale0"), {}, False),
    (Resolver("10.8.0.1", False, "tun0"), {}, False),
    (Resolver("10.8.0.1", False, "tun0"), {"uplink": "tun0"}, True),
    (Resolver("10.87.0.9", False, link_name("b")), {}, False),
    (Resolver("10.87.0.2", False, "lan0"), {}, True),
    (Resolver("10.87.0.2", False, link_name("a")), {"uplink": "wan0"}, True),
    (Resolver("FD87::2", False, link_name("a")), {"host_access": False}, True),
])  # fmt: skip
def test_unreachable_name_servers_are_left_out_with_a_warning(server, more, taken):
    other = Resolver("192.0.2.7")
    view = NetworkView({"a": ContainerView("a", "a", "a")}, host_dns=HostDns((server, other)), uplinks=("wan0",))
    view = view.with_spec("a", wanted_spec(view, "a", asked_with(internet=True, **more)))
    assert network_result(view, "a")["dns"] == ([server.address] if taken else []) + ["192.0.2.7"]
    warnings = name_server_warnings(view, "a")
    assert (server.address in "".join(warnings)) != taken
    alone = replace(view, host_dns=HostDns((server,)))
    assert bool(name_server_warnings(alone, "a")) != taken
    if not taken:
        assert "Set dns" in name_server_warnings(alone, "a")[0]


@pytest.mark.parametrize(("ports", "taken"), [([], True), (["53/udp"], True), (["53/tcp"], False)])
def test_name_server_of_the_host_in_a_peer_is_kept_if_the_peer_may_be_asked(ports, taken):
    server = Resolver("10.87.0.3", False, link_name("b"))
    view = NetworkView({n: ContainerView(n, n, n) for n in "ab"}, host_dns=HostDns((server,)), uplinks=("wan0",))
    for name in "ab":
        view = view.with_spec(name, wanted_spec(view, name, asked_with(internet=True)))
    view = plan_peer(view, PeerOptions("a", "b", ports=parse_port_ranges(ports), both=False))[1]
    assert network_result(view, "a")["dns"] == (["10.87.0.3"] if taken else [])
    assert network_result(view, "b")["dns"] == ["10.87.0.3"], "the server itself"


def test_dns_options_override_those_of_the_host():
    view = NetworkView(
        containers={"a": ContainerView("a", "a", "a")},
        host_dns=HostDns((Resolver("192.0.2.53"),), ("example.org",), ("rotate",)),
    )
    for params, expected in (
        ({"internet": True}, b"nameserver 192.0.2.53\nsearch example.org\noptions rotate\n"),
        ({"internet": True, "dns_search": ["a.example", "b.example"]},
         b"nameserver 192.0.2.53\nsearch a.example b.example\noptions rotate\n"),
        ({"internet": True, "dns_options": ["ndots:2"], "dns_search": []}, b"nameserver 192.0.2.53\noptions ndots:2\n"),
        ({"dns": ["192.0.2.9"]}, b"nameserver 192.0.2.9\n"),
        ({"dns": ["192.0.2.9"], "dns_search": ["a.example"]}, b"nameserver 192.0.2.9\nsearch a.example\n"),
        ({"dns_options": ["timeout:1"]}, b"options timeout:1\n"),
    ):  # fmt: skip
        after = view.with_spec("a", wanted_spec(view, "a", asked_with(**params)))
        block = b"# BEGIN conductor\n" + expected + b"# END conductor\n"
        assert inside_files(after, "a", "a", {"/etc/resolv.conf": b"of the image"})["/etc/resolv.conf"] == block
        own = {"/etc/resolv.conf": block + b"options own\n"}
        assert inside_files(after, "a", "a", own)["/etc/resolv.conf"] == block + b"options own\n"


def test_extra_hosts_are_written_to_the_block():
    view = NetworkView(containers={"a": ContainerView("a", "a", "a")})
    extra = {"db.example": ["192.0.2.7", "2001:db8::7"], "host.internal": "host-gateway"}
    view = view.with_spec("a", wanted_spec(view, "a", asked_with(extra_hosts=extra)))
    assert (
        b"192.0.2.7 db.example\n2001:db8::7 db.example\n10.87.0.1 host.internal\nfd87::1 host.internal\n# END"
        in inside_files(view, "a", "a", {})["/etc/hosts"]
    )
