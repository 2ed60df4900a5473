"""A container that stands in for another one: where new connections lead, and which elements stay."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.firewall_table import base_of
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.flows import Flows, changed_flows
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.projection import (
    Connect,
    RouteLocalnet,
    UpdateFirewall,
    plan_projection,
    wanted_elements,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.veth import (
    End,
    Pair,
    inner_addresses,
    inner_routes,
    outer_addresses,
    outer_routes,
    outer_sysctls,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import ContainerView, NetworkView
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import (
    Link,
    NetworkSpec,
    PeerEntry,
    StandIn,
    link_name,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import (
    parse_exposes,
    parse_port_ranges,
)

WEB, OTHER, ONE, ALL = map(link_name, ("web", "web-update", "one", "all"))
SET = ("peer", "peer_port", "exposed", "expose4", "stand_in4", "stand_in4_port", "stand_in6", "stand_in6_port")


def view(stand_in, *, web_attached=True, other_attached=True, other_id="id-web-update"):
    """web exposes 80 on 8080; one may call its port 80, all every port of it; web-update may stand in."""
    specs = {
        "web": {"expose": parse_exposes(["80-8080"]), "stand_in": stand_in},
        "web-update": {},
        "one": {"peers": (PeerEntry("web", "id-web", parse_port_ranges(["80/tcp"])),)},
        "all": {"peers": (PeerEntry("web", "id-web"),)},
    }
    containers = {}
    for number, (name, options) in enumerate(specs.items(), 2):
        found_id = other_id if name == "web-update" else f"id-{name}"
        spec = NetworkSpec(
            found_id, f"10.87.0.{number}", "10.87.0.1", "02:00:00:00:00:01", f"fd87::{number}", "fd87::1"
        )
        attached = {"web": web_attached, "web-update": other_attached}.get(name, True)
        containers[name] = ContainerView(name, found_id, name, replace(spec, **options), attached=attached)
    return NetworkView(containers)


def elements(found):
    wanted = wanted_elements(found)
    return {name: set(wanted[name]) for name in SET if wanted[name]}


PLAIN = {
    "peer": {(ALL, WEB)},
    "peer_port": {(ONE, WEB, 6, 80)},
    "exposed": {(WEB, 6, 80)},
    "expose4": {(6, (8080, 8080), "10.87.0.2")},
}
BOTH_OPEN = {
    "peer": {(ALL, WEB), (ALL, OTHER)},
    "peer_port": {(ONE, WEB, 6, 80), (ONE, OTHER, 6, 80)},
    "exposed": {(WEB, 6, 80), (OTHER, 6, 80)},
}
LED = {
    "expose4": {(6, (8080, 8080), "10.87.0.3")},
    "stand_in4": {(ALL, "10.87.0.2", "10.87.0.3")},
    "stand_in4_port": {(ONE, "10.87.0.2", 6, (80, 80), "10.87.0.3")},
    "stand_in6": {(ALL, "fd87::2", "fd87::3")},
    "stand_in6_port": {(ONE, "fd87::2", 6, (80, 80), "fd87::3")},
}
STAND_IN = StandIn("web-update", "id-web-update")


def test_new_connections_lead_to_the_stand_in_and_open_ones_of_both_stay_allowed():
    assert elements(view(None)) == PLAIN
    assert elements(view(STAND_IN)) == {**BOTH_OPEN, **LED}
    assert elements(view(replace(STAND_IN, leads=False))) == {**PLAIN, **BOTH_OPEN}


def test_stand_in_of_a_stopped_container_gets_only_its_connections():
    only = {name: {one for one in found if WEB not in one} for name, found in BOTH_OPEN.items()}
    assert elements(view(STAND_IN, web_attached=False)) == {**only, **LED}
    assert elements(view(replace(STAND_IN, leads=False), web_attached=False)) == only


@pytest.mark.parametrize("other", [{"other_attached": False}, {"other_id": "another"}])
def test_stand_in_that_is_gone_or_another_container_is_none(other):
    assert elements(view(STAND_IN, **other)) == PLAIN


def test_localhost_is_routed_to_the_stand_in():
    assert RouteLocalnet("web-update", True) in plan_projection(view(STAND_IN), {"web-update"})
    assert RouteLocalnet("web-update", True) not in plan_projection(view(None), {"web-update"})


def test_localhost_is_routed_before_calls_lead_to_a_link_that_exists():
    found = view(STAND_IN)
    own = found.containers["web-update"]
    link = Link.of("web-update", own.spec)
    ends = (
        End("veth", "02:00:00:00:00:02", link.mtu, True, frozenset({link.outer_altname}),
            frozenset(outer_addresses(link)), frozenset(outer_routes(link))),
        End("veth", link.mac, link.mtu, True, frozenset({link.inner_altname}),
            frozenset(inner_addresses(link)), frozenset(inner_routes(link))),
    )  # fmt: skip
    pair = Pair(*ends, outer_sysctls(link))
    found = replace(found, containers={**found.containers, "web-update": replace(own, pair=pair)})
    kinds = [type(action) for action in plan_projection(found, {"web-update"})]
    assert kinds.index(RouteLocalnet) < kinds.index(UpdateFirewall) and Connect not in kinds


@pytest.mark.parametrize(
    ("before", "after", "former"),
    [(None, STAND_IN, {"10.87.0.2", "fd87::2"}), (STAND_IN, None, {"10.87.0.3", "fd87::3"})],
)
def test_udp_flows_to_the_replaced_container_and_unanswered_calls_of_the_former_one_are_decided_anew(
    before, after, former
):
    firewall = wanted_elements(view(before))
    found = view(after)
    found = replace(found, firewall=replace(found.firewall, base=base_of(), elements=firewall))
    [update] = [one for one in plan_projection(found, ()) if isinstance(one, UpdateFirewall)]
    assert changed_flows(update.commands) == Flows([], {"10.87.0.2", "fd87::2"}, former)
    exposes = [one for one in update.commands if "expose4" in str(one)]
    assert len(exposes) == 2 and changed_flows(exposes).unanswered == {one for one in former if "." in one}
    assert not changed_flows(exposes[:1]) and not changed_flows(exposes[1:])


def element_command(verb, name, key, address):
    return {verb: {"element": {"name": name, "elem": [({"concat": key}, address)]}}}


def test_calls_to_a_port_that_becomes_part_of_another_range_or_address_are_decided_anew():
    deleted = element_command("delete", "expose4", [6, {"range": [8000, 8010]}], "10.87.0.2")
    for name, key in (("expose4", [6, 8000]), ("expose4_on", ["192.0.2.1", 6, 8000])):
        assert changed_flows([deleted, element_command("add", name, key, "10.87.0.3")]).unanswered == {"10.87.0.2"}
    for name, key in (("expose6", [6, 8000]), ("expose4", [17, 8000])):
        assert not changed_flows([deleted, element_command("add", name, key, "10.87.0.3")]).unanswered
