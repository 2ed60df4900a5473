"""Mistakes in the description of a stack, peers from both sides, and addresses that move."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._engine.convert_options import convert_options
from ansible_collections.conductor.containers.plugins.module_utils._engine.option import Option
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import ContainerView, NetworkView
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.options import NetworkOptions
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import parse_port_ranges
from ansible_collections.conductor.containers.plugins.module_utils._stack.plan.network import NetworkWish, plan_specs
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.stack import Peer, parse_stack


def parse(containers, **params):
    return parse_stack({"name": "shop", "containers": containers, **params}).members


def wish(*peers, **params):
    return NetworkWish(NetworkOptions.parse(params, "10.87.0.0/24", "fd87::/64", None), peers)


def network_view(*names):
    return NetworkView({name: ContainerView(name, f"id-{name}", name) for name in names})


def callable_from(view):
    return {
        n: {e.peer: ", ".join(map(str, e.ports)) for e in c.spec.peers} for n, c in view.containers.items() if c.spec
    }


@pytest.mark.parametrize("value", [float("inf"), 10**400], ids=["inf", "huge"])
@pytest.mark.parametrize("kind", ["int", "float"])
def test_numbers_without_a_finite_value_are_refused(kind, value):
    with pytest.raises(InvalidInput):
        convert_options({"count": Option(kind, ("",))}, {"count": value}, "containers.web")


@pytest.mark.parametrize("key", ["web", "web{n}"])
def test_entry_without_containers_is_no_peer(key):
    assert parse({key: {"count": 0}, "db": {"peers": [key]}})["db"].peers == ()


def test_unknown_key_of_a_condition_is_refused():
    with pytest.raises(InvalidInput):
        parse({"web": {"depends_on": {"db": {"cond": "completed"}}}, "db": {}})


def test_error_of_a_port_of_a_peer_names_the_entry():
    with pytest.raises(InvalidInput) as caught:
        parse({"web": {"peers": [{"peer": "db", "ports": ["x"]}]}, "db": {}})
    assert "web" in str(caught.value)


def test_unknown_option_of_defaults_is_told_as_such():
    with pytest.raises(InvalidInput) as caught:
        parse({"web": {}}, defaults={"imag": "x"})
    assert str(caught.value).startswith("defaults: unknown option 'imag'")


def test_unknown_option_of_defaults_is_refused_without_containers():
    with pytest.raises(InvalidInput):
        parse({}, defaults={"imag": "x"})


def test_ports_of_several_entries_for_one_peer_are_added():
    one, two = (Peer("b", parse_port_ranges([port]), both=False) for port in ("80/tcp", "443/tcp"))
    view = plan_specs(network_view("a", "b"), {"a": wish(one, two), "b": wish()})[1]
    assert callable_from(view)["a"] == {"b": "80/tcp, 443/tcp"}


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_permissions_do_not_depend_on_the_order_of_containers(order):
    wishes = {"a": wish(Peer("b", both=True)), "b": wish(Peer("a", parse_port_ranges(["80/tcp"]), both=False))}
    view = plan_specs(network_view("a", "b"), {name: wishes[name] for name in order})[1]
    assert callable_from(view) == {"a": {"b": ""}, "b": {"a": ""}}


def test_fixed_address_of_a_member_is_not_given_to_another_before():
    view = plan_specs(network_view("a", "b"), {"a": wish(), "b": wish(ipv4="10.87.0.2")})[1]
    assert view.containers["b"].spec.ipv4 == "10.87.0.2"


def test_fixed_addresses_move_between_members():
    first = {"a": wish(ipv4="10.87.0.5"), "b": wish(ipv4="10.87.0.6")}
    view = plan_specs(network_view("a", "b"), first)[1]
    swapped = {"a": wish(ipv4="10.87.0.6"), "b": wish(ipv4="10.87.0.5")}
    assert plan_specs(view, swapped)[1].containers["a"].spec.ipv4 == "10.87.0.6"


def test_fixed_address_of_a_removed_network_is_free_for_another_member():
    view = plan_specs(network_view("a", "b"), {"a": wish(), "b": wish(ipv4="10.87.0.6")})[1]
    wishes = {"a": wish(ipv4="10.87.0.6"), "b": NetworkWish(None)}
    assert plan_specs(view, wishes)[1].containers["a"].spec.ipv4 == "10.87.0.6"


def test_peer_that_is_not_listed_any_more_may_not_call_the_member():
    """`both` would store the reverse at a container outside of the stack, where it would stay."""
    with pytest.raises(InvalidInput, match="requires that out is described in the same task"):
        parse({"a": {"peers": [{"peer": "out", "direction": "both"}]}})
    view = plan_specs(network_view("a", "out"), {"out": wish()})[1]
    view = plan_specs(view, {"a": wish(Peer("out"))})[1]
    assert callable_from(view) == {"a": {"out": ""}, "out": {}}
    assert callable_from(plan_specs(view, {"a": wish()})[1]) == {"a": {}, "out": {}}
