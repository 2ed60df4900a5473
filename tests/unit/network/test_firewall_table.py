"""The elements of our tables: read from nft in one form, and one for each permission and range of ports."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._kernel.conntrack import entries_for
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.change_spec import (
    wanted_spec,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.drift import host_drift
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.firewall_rules import (
    TO_CONTAINER_MARK,
    connection_limit,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.firewall_table import (
    Firewall,
    base_commands,
    base_of,
    parse_listing,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.flows import Flows, changed_flows
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.projection import (
    UpdateFirewall,
    plan_projection,
    wanted_elements,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import (
    ContainerView,
    NetworkView,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import (
    NetworkSpec,
    link_name,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.options import NetworkOptions


def asked_with(**params) -> NetworkOptions:
    return NetworkOptions.parse(params, "10.87.0.0/24", "fd87::/64", params.get("uplink"))


def shown(name: str, elements: list) -> dict:
    """A set or map as nft lists it."""
    objects = (command["add"] for command in base_commands() if "add" in command)
    found = next(o for o in objects if name in (o.get("set", o.get("map", {})).get("name"),))
    kind = next(iter(found))
    return {kind: {**found[kind], "elem": elements}}


def test_digest_of_tables_detects_changed_rules():
    objects = [command["add"] for command in base_commands() if "add" in command]
    assert parse_listing({"nftables": objects}).base == base_of()
    rules = [i for i, item in enumerate(objects) if "rule" in item]
    assert parse_listing({"nftables": objects[:-1]}).base != base_of()
    assert parse_listing({"nftables": [*objects, objects[rules[0]]]}).base != base_of()
    swapped = list(objects)
    swapped[rules[2]], swapped[rules[3]] = swapped[rules[3]], swapped[rules[2]]
    assert parse_listing({"nftables": swapped}).base != base_of()


def test_tables_with_another_limit_of_connections_are_written_once():
    spec = NetworkSpec("id", ipv4="10.87.0.2", gateway4="10.87.0.1", mac="02:00:00:00:00:01")
    view = NetworkView({"web": ContainerView("web", "id", spec=spec, attached=True)}, most_connections=960)
    objects = [command["add"] for command in base_commands() if "add" in command]
    view = replace(view, firewall=parse_listing({"nftables": objects}))
    assert any("rules" in line for line in host_drift(view))
    (update,) = [action for action in plan_projection(view, []) if isinstance(action, UpdateFirewall)]
    assert update.describe() == "write the firewall table inet conductor"
    assert table_of(update.commands) == base_of(960) != base_of()
    found = replace(view.firewall, base=base_of(960), elements=wanted_elements(view))
    view = replace(view, firewall=found)
    assert not [action for action in plan_projection(view, []) if isinstance(action, UpdateFirewall)]
    assert not any("rules" in line for line in host_drift(view))


@pytest.mark.parametrize(("size", "limit"), [(262144, 8192), (65536, 8192), (7680, 960), (4, 1), (0, 8192)])
def test_container_has_at_most_an_eighth_of_the_connections_of_the_host(size, limit):
    assert connection_limit(size) == limit


MIB = 1 << 20


@pytest.mark.parametrize(
    ("mib", "entries"),
    [(24_000, 262144), (4097, 262144), (4096, 65536), (1025, 65536), (960, 7680), (980, 8192), (64, 1024)],
)
def test_size_of_the_connection_table_is_known_before_its_module_is_loaded(mib, entries):
    assert entries_for(mib * MIB) == entries


def table_of(commands):
    """The digest of the table that nft lists after these commands."""
    inserted = [command["insert"] for command in commands if "insert" in command]
    added = [command["add"] for command in commands if "add" in command and "element" not in command["add"]]
    return parse_listing({"nftables": [*inserted, *added]}).base


def test_first_table_lets_packets_to_containers_through_in_a_transaction_of_its_own():
    """A packet that passed the hook of the filter just before would be let through at the next hook."""
    spec = NetworkSpec("id", ipv4="10.87.0.2", gateway4="10.87.0.1", mac="02:00:00:00:00:01")
    missing = NetworkView({"web": ContainerView("web", "id", spec=spec, attached=True)})
    (update,) = [action for action in plan_projection(missing, []) if isinstance(action, UpdateFirewall)]
    assert table_of([*update.commands, *update.opening]) == base_of() != table_of(update.commands)
    assert not any(str(TO_CONTAINER_MARK) in str(command) for command in update.commands)
    present = replace(missing, firewall=Firewall(base="another release", whole=True))
    (update,) = [action for action in plan_projection(present, []) if isinstance(action, UpdateFirewall)]
    assert table_of(update.commands) == base_of() and not update.opening, "connections are not interrupted"


def test_chains_that_let_through_are_removed_before_filters():
    """The kernel removes those of a deleted table one after the other, in this order."""
    order = [command["add"]["chain"]["name"] for command in base_commands() if "chain" in command.get("add", {})]
    assert {"admit", "to_link"} == set(order[:2]) and order.index("input") > 2 and order.index("forward") > 2


def test_elements_are_parsed_in_canonical_form():
    listing = {
        "nftables": [
            shown("source6", [{"concat": ["cdtr-1", "fd87:0c4d:0::0002"]}]),
            shown("expose4", [[{"concat": ["tcp", 80]}, "10.87.0.2"]]),
            shown("peer_port", [{"concat": ["cdtr-1", "cdtr-2", "tcp", 80]}]),
            shown("peer_range", [{"concat": ["cdtr-1", "cdtr-2", 17, {"range": [80, 90]}]}]),
            shown("internet", [{"elem": {"val": "cdtr-1", "comment": "by hand"}}]),
        ]
    }
    elements = parse_listing(listing).elements
    assert elements["source6"] == {("cdtr-1", "fd87:c4d::2")}
    assert elements["expose4"] == {(6, (80, 80), "10.87.0.2")}
    assert elements["peer_port"] == {("cdtr-1", "cdtr-2", 6, 80)}
    assert elements["peer_range"] == {("cdtr-1", "cdtr-2", 17, (80, 90))}
    assert elements["internet"] == {("cdtr-1",)}


@pytest.mark.parametrize(("params", "expected"), [
    ({}, {"host_access"}),
    ({"host_access": False}, set()),
    ({"internet": True, "host_access": False}, {"internet"}),
    ({"internet": True, "metadata": True}, {"internet", "host_access", "metadata"}),
])  # fmt: skip
def test_each_permission_is_an_element_of_its_own_set(params, expected):
    view = NetworkView(containers={"a": ContainerView("a", "a", "a", attached=True)})
    asked = NetworkOptions.parse(params, "10.87.0.0/24", "fd87::/64", None)
    wanted = wanted_elements(view.with_spec("a", wanted_spec(view, "a", asked)))
    permissions = ("internet", "internet_by", "host_access", "metadata", "peer", "exposed")
    assert {name for name in permissions if wanted[name] == {(link_name("a"),)}} == expected


def test_ten_thousand_ports_are_one_element():
    view = NetworkView(containers={"a": ContainerView("a", "a", "a", attached=True)})
    view = view.with_spec("a", wanted_spec(view, "a", asked_with(expose=["10000-20000:10000-20000/udp"])))
    wanted = wanted_elements(view)
    assert wanted["expose4"] == {(17, (10000, 20000), "10.87.0.2")}
    assert wanted["exposed_range"] == {(link_name("a"), 17, (10000, 20000))}
    assert wanted["expose4_port"] == wanted["expose6_port"] == frozenset()
    actions = plan_projection(view, ["a"])
    commands = next(action.commands for action in actions if isinstance(action, UpdateFirewall))
    assert changed_flows(commands) == Flows([(10000, 20000)], frozenset(), frozenset())
