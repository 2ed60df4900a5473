"""Network plans, applied to a pure model of the kernel: they converge, and the next plan is empty."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._errors import ConductorError, Conflict
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.change_spec import (
    wanted_spec,
    without_dangling_peers,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.drift import (
    container_drift,
    host_drift,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.firewall_table import ALL_SETS as SETS
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.firewall_table import (
    Firewall,
    base_commands,
    base_of,
    link_commands,
    parse_listing,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.forwarding import (
    DisableForwarding,
    EnableForwarding,
    KeepAdvertisedRoute,
    SetFence,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.hosts_files import inside_files
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.peers import PeerOptions, plan_peer
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.projection import (
    Connect,
    Disconnect,
    RouteLocalnet,
    UpdateFirewall,
    WriteInsideFiles,
    plan_projection,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.veth import (
    End,
    Pair,
    inner_addresses,
    inner_routes,
    localnet_sysctl,
    outer_addresses,
    outer_routes,
    outer_sysctls,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import (
    ContainerView,
    Fence,
    Forwarding,
    HostDns,
    NetworkView,
    Resolver,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import (
    LINK_PREFIX,
    Link,
    link_name,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.options import NetworkOptions
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import Expose
from hypothesis import given, settings
from hypothesis import strategies as st

OWN_HOSTS = b"10.9.9.9 mine\n# BEGIN conductor\n10.9.9.8 stale\n# END conductor\n10.9.9.7 too\n"
NAMES = ["a", "b", "c", "d"]


def pair_of(link: Link) -> Pair:
    """The pair that the kernel shows after `link` was created."""
    outer = End(
        "veth", "02:aa:aa:aa:aa:aa", link.mtu, True, frozenset({link.outer_altname}),
        frozenset(outer_addresses(link)), frozenset(outer_routes(link)),
    )  # fmt: skip
    inner = End(
        "veth", link.mac, link.mtu, True, frozenset({link.inner_altname}),
        frozenset(inner_addresses(link)), frozenset(inner_routes(link)),
    )  # fmt: skip
    return Pair(outer, inner, outer_sysctls(link))


def shown(name: str, elements: list) -> dict:
    """A set or map as nft lists it."""
    objects = (command["add"] for command in base_commands() if "add" in command)
    found = next(o for o in objects if name in (o.get("set", o.get("map", {})).get("name"),))
    kind = next(iter(found))
    return {kind: {**found[kind], "elem": elements}}


def run_nft(view: NetworkView, commands) -> Firewall:
    """The tables after nft ran `commands` in one transaction."""
    firewall = view.firewall
    if {"delete": {"table": {"family": "inet", "name": "conductor"}}} in commands:
        fresh = any("rule" in command.get("add", {}) for command in commands)
        firewall = (
            parse_listing({"nftables": [c["add"] for c in base_commands() if "add" in c]}) if fresh else Firewall()
        )
    links = set(firewall.links)
    for command in commands:
        chain = next(iter(command.values())).get("chain", {})
        if "delete" in command and chain:
            links.discard(chain["name"])
        elif "add" in command and "dev" in chain:
            assert chain["name"] == chain["dev"] and chain["dev"] in view.links, "nft knows only what exists"
            links.add(chain["name"])
    elements = {name: set(firewall.elements.get(name, ())) for name in SETS} if firewall.base else {}
    for command in commands:
        for verb, item in command.items():
            if "element" not in item:
                continue
            name = item["element"]["name"]
            parsed = parse_listing({"nftables": [shown(name, item["element"]["elem"])]}).elements[name]
            if verb == "add":
                assert not elements[name] & parsed, "added twice"
                elements[name] |= parsed
            else:
                assert parsed <= elements[name], "nft refuses to delete what is not there"
                elements[name] -= parsed
    return Firewall(
        firewall.base, {name: frozenset(found) for name, found in elements.items()}, firewall.whole, frozenset(links)
    )


def simulate(view: NetworkView, actions) -> NetworkView:
    for action in actions:
        if isinstance(action, Connect):
            assert view.firewall.base == base_of(), "a link comes after the table"
            view = with_container(view, action.container, pair=pair_of(action.link))
            view = replace(view, links=view.links | {action.link.outer})
            view = replace(view, firewall=run_nft(view, link_commands(action.link.outer)))
        elif isinstance(action, Disconnect):
            view = replace(view, stray_links=tuple(link for link in view.stray_links if link != action.outer))
            # The kernel keeps the chain of a link that has gone, since 6.16.
            view = replace(view, links=view.links - {action.outer})
            for name, container in view.containers.items():
                if link_name(name) == action.outer and container.pair:
                    view = with_container(view, name, pair=None)
        elif isinstance(action, UpdateFirewall):
            view = replace(view, firewall=run_nft(view, action.commands))
        elif isinstance(action, RouteLocalnet):
            name = next(name for name in view.containers if link_name(name) == action.outer)
            pair = view.containers[name].pair
            sysctls = {**pair.sysctls, localnet_sysctl(action.outer): "1" if action.allowed else "0"}
            view = with_container(view, name, pair=replace(pair, sysctls=sysctls))
        elif isinstance(action, WriteInsideFiles):
            files = {**view.containers[action.container].files, **action.files}
            view = with_container(view, action.container, files=files)
        elif isinstance(action, EnableForwarding):
            fenced = {(action.version, "eth0"), (action.version, "eth1")}
            assert fenced <= view.forwarding.fence.interfaces, "the fence comes before forwarding"
            ours = view.forwarding.ours | {action.version}
            view = replace(view, forwarding=replace(view.forwarding, ours=ours, **{f"ipv{action.version}": True}))
        elif isinstance(action, DisableForwarding):
            assert not view.links & {link_name(c.name) for c in view.connected()}, "no link needs it any more"
            ours = view.forwarding.ours - {action.version}
            view = replace(view, forwarding=replace(view.forwarding, ours=ours, **{f"ipv{action.version}": False}))
        elif isinstance(action, SetFence):
            view = replace(view, forwarding=replace(view.forwarding, fence=action.wanted))
        else:
            assert isinstance(action, KeepAdvertisedRoute)
    return view


def with_container(view: NetworkView, name: str, **changes) -> NetworkView:
    changed = replace(view.containers[name], **changes)
    return replace(view, containers={**view.containers, name: changed})


def without_clashes(params: dict) -> dict:
    """`params` without exposes that overlap an earlier one."""
    kept: list[dict] = []
    for expose in params["expose"]:
        if not any(Expose.parse(expose).overlaps(Expose.parse(other)) for other in kept):
            kept.append(expose)
    return {**params, "expose": kept}


options = st.builds(
    lambda params: NetworkOptions.parse(without_clashes(params), "10.87.0.0/24", "fd87::/64", None),
    st.fixed_dictionaries(
        {
            "internet": st.booleans(),
            "host_access": st.booleans(),
            "metadata": st.booleans(),
            "expose": st.lists(
                st.builds(
                    lambda first, count, shift, protocol: {
                        "container_port": f"{first + shift}-{first + shift + count}",
                        "host_port": f"{first}-{first + count}",
                        "protocol": protocol,
                    },
                    st.integers(1, 40),
                    st.integers(0, 9),
                    st.sampled_from([0, 0, 1, 7]),
                    st.sampled_from(["tcp", "udp"]),
                ),
                max_size=3,
            ),
            "mtu": st.sampled_from([1400, 1500]),
            "dns": st.sampled_from([None, [], ["192.0.2.1"]]),
        }
    ).filter(lambda params: params["internet"] or params["host_access"] or not params["metadata"]),
)


INTERFACES = frozenset((v, i) for v in (4, 6) for i in ("eth0", "eth1"))
AROUND = Fence(INTERFACES, frozenset({"192.0.2.0/24", "2001:db8::/64"}))
fences = st.builds(
    Fence,
    st.frozensets(st.sampled_from([*sorted(AROUND.interfaces), (4, "gone"), (6, "gone")])),
    st.frozensets(st.sampled_from([*sorted(AROUND.networks), "198.51.100.0/24"])),
)
# By version: off, enabled by this collection, enabled by another program.
forwardings = st.builds(
    lambda four, six, fence: Forwarding(
        four != "off",
        six != "off",
        ("eth0",),
        frozenset(v for v, s in ((4, four), (6, six)) if s == "ours"),
        fence,
        AROUND,
    ),
    st.sampled_from(["off", "ours", "theirs"]),
    st.sampled_from(["off", "ours", "theirs"]),
    fences,
)


@st.composite
def hosts(draw) -> NetworkView:
    """A host with containers in any state, and a kernel with or without drift."""
    view = NetworkView(
        containers={name: ContainerView(name, f"id-{name}", name) for name in NAMES},
        forwarding=draw(forwardings),
        uplinks=("eth0",),
        stray_links=tuple(draw(st.sets(st.sampled_from([f"{LINK_PREFIX}x", f"{LINK_PREFIX}y"])))),
        host_dns=HostDns((Resolver("192.0.2.53"),)),
    )
    for name in draw(st.sets(st.sampled_from(NAMES))):
        try:
            view = view.with_spec(name, wanted_spec(view, name, draw(options)))
        except Conflict:
            continue  # a host port that another has
    for one, other in draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=4)):
        ports = draw(st.sampled_from([None, ["80/tcp"], ["80-90/tcp", "85-99/tcp", "7/udp"]]))
        direction = draw(st.sampled_from(["both", "to"]))
        try:
            asked = PeerOptions.parse(
                {"container": one, "peer": other, "ports": ports, "direction": direction, "state": "present"}
            )
            view = plan_peer(view, asked)[1]
        except ConductorError:
            continue  # itself, or one without a network
    for name in NAMES:
        spec = view.containers[name].spec
        pair = draw(st.sampled_from([None, *([pair_of(Link.of(name, spec))] if spec else [])]))
        if pair and draw(st.booleans()):
            pair = replace(pair, inner=replace(pair.inner, addresses=frozenset()))
        attached = draw(st.booleans())
        files = (
            draw(st.sampled_from([None, {"/etc/hosts": None, "/etc/resolv.conf": b"old"}, {"/etc/hosts": OWN_HOSTS}]))
            if attached
            else None
        )
        view = with_container(view, name, attached=attached, pair=pair, files=files)
    present = {link_name(name) for name, c in view.containers.items() if c.pair} | set(view.stray_links)
    view = replace(view, links=frozenset(present))
    if draw(st.booleans()):
        settled = simulate(view, plan_projection(view, NAMES))
        known = settled.firewall.links & view.links
        firewall = replace(settled.firewall, links=known)
        lost = draw(st.sets(st.sampled_from(sorted(SETS))))
        elements = {k: frozenset() if k in lost else v for k, v in firewall.elements.items()}
        view = replace(view, firewall=replace(firewall, elements=elements))
    return view


@settings(max_examples=200)
@given(hosts())
def test_applied_plan_leaves_no_actions(view):
    after = simulate(view, plan_projection(view, NAMES))
    assert plan_projection(after, NAMES) == ()
    assert host_drift(after) == []
    assert [container_drift(after, name) for name in NAMES] == [[]] * len(NAMES)


@settings(max_examples=100)
@given(hosts(), st.data())
def test_interrupted_plan_converges_on_next_run(view, data):
    actions = plan_projection(view, NAMES)
    died = simulate(view, actions[: data.draw(st.integers(0, len(actions)))])
    after = simulate(died, plan_projection(died, NAMES))
    assert plan_projection(after, NAMES) == ()
    whole = simulate(view, actions)
    assert after.firewall == whole.firewall
    assert after.forwarding.ours == whole.forwarding.ours


@settings(max_examples=100)
@given(hosts(), st.sampled_from(NAMES), options)
def test_same_options_are_unchanged(view, name, asked):
    try:
        spec = wanted_spec(view, name, asked)
    except Conflict:
        return
    after = view.with_spec(name, spec)
    assert wanted_spec(after, name, asked) == spec
    addresses = [c.spec.ipv4 for c in after.containers.values() if c.spec]
    assert len(addresses) == len(set(addresses))


@settings(max_examples=50)
@given(hosts())
def test_damaged_container_keeps_its_elements_and_link(view):
    settled = simulate(view, plan_projection(view, NAMES))
    damaged = with_container(settled, "a", spec=None, damage="a's network.json is damaged")
    if not settled.containers["a"].attached or settled.containers["a"].spec is None:
        return
    others = simulate(damaged, plan_projection(damaged, NAMES))
    outer = link_name("a")
    for name in ("source4", "internet", "exposed", "host_access", "metadata", "self"):
        had = {e for e in settled.firewall.elements[name] if e[0] == outer}
        assert had <= others.firewall.elements[name]
    assert others.containers["a"].pair == settled.containers["a"].pair


def test_peer_entries_of_removed_containers_are_pruned():
    view = NetworkView(containers={name: ContainerView(name, f"id-{name}", name) for name in ("a", "b")})
    asked = NetworkOptions.parse({}, "10.87.0.0/24", "fd87::/64", None)
    for name in ("a", "b"):
        view = view.with_spec(name, wanted_spec(view, name, asked))
    view = plan_peer(view, PeerOptions("a", "b"))[1]
    spec = view.containers["a"].spec
    assert without_dangling_peers(view, spec) == spec
    again = with_container(view, "b", container_id="another")
    assert without_dangling_peers(again, spec).peers == ()
    assert b"b\n" not in inside_files(again, "a", "a", {})["/etc/hosts"]


@pytest.mark.parametrize("mode", ["enable", "require"])
def test_forwarding_is_enabled_or_required_for_running_containers_only(mode):
    forwarding = Forwarding(False, False, ("eth0",), around=AROUND)
    view = NetworkView(containers={"a": ContainerView("a", "a", "a")}, forwarding=forwarding)
    asked = NetworkOptions.parse({}, "10.87.0.0/24", "fd87::/64", None)
    view = view.with_spec("a", wanted_spec(view, "a", asked))
    assert plan_projection(view, ["a"], mode) == ()
    running = with_container(view, "a", attached=True)
    if mode == "require":
        with pytest.raises(ConductorError, match="does not forward IPv4"):
            plan_projection(running, ["a"], mode)
    else:
        actions = plan_projection(running, ["a"], mode)
        assert [type(action) for action in actions] == [
            SetFence, UpdateFirewall, KeepAdvertisedRoute, EnableForwarding, EnableForwarding, Connect
        ]  # fmt: skip
        assert actions[0].wanted == AROUND
        gone = with_container(simulate(running, actions), "a", attached=False)
        assert [type(action) for action in plan_projection(gone, ["a"], mode)] == [
            Disconnect, DisableForwarding, DisableForwarding, SetFence, UpdateFirewall
        ]  # fmt: skip


def test_element_of_damaged_container_yields_to_an_overlapping_range():
    """Otherwise nft refuses the whole update, since intervals of a map must not overlap."""
    view = NetworkView(containers={name: ContainerView(name, name, name, attached=True) for name in ("a", "b")})
    params = {"expose": ["80-90:80-90"], "ipv4": "10.87.0.9"}
    asked = NetworkOptions.parse(params, "10.87.0.0/24", "fd87::/64", None)
    view = view.with_spec("a", wanted_spec(view, "a", asked))
    exposing = with_container(view, "b", damage="b's network.json is damaged")
    other = simulate(exposing, plan_projection(exposing, ["a"])).firewall
    had = {**other.elements, "expose4": {(6, (85, 85), "10.87.0.7")}, "exposed": {(link_name("b"), 6, 85)}}
    found = replace(exposing, firewall=Firewall(base_of(), {name: frozenset(e) for name, e in had.items()}))
    after = simulate(found, plan_projection(found, ["a"])).firewall.elements
    assert after["expose4"] == {(6, (80, 90), "10.87.0.9")}
    assert (link_name("b"), 6, 85) in after["exposed"], "its own stays"
