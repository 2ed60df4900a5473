"""Plan of a stack: the phases of its containers, the owner of a container, and the networks of all members together."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.plan import container as plan
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._engine.id_range import IdRange
from ansible_collections.conductor.containers.plugins.module_utils._errors import Conflict, NotFound
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.change_spec import (
    RemoveNetworkSpec,
    WriteNetworkSpec,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.projection import Connect
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.view import (
    ContainerView,
    Listening,
    NetworkView,
)
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.options import NetworkOptions
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.ports import parse_port_ranges
from ansible_collections.conductor.containers.plugins.module_utils._stack.plan.network import (
    NetworkWish,
    Policy,
    plan_attach,
    plan_specs,
    with_members,
)
from ansible_collections.conductor.containers.plugins.module_utils._stack.plan.stack import (
    ChangeImage,
    ChangeNetworks,
    StackView,
    plan_stack,
    predict,
    require_own,
)
from ansible_collections.conductor.containers.plugins.module_utils._stack.spec.stack import Peer, parse_stack

POLICY = Policy("enable", "auto")
NONE = NetworkWish(None)


def wish(*peers, **params):
    return NetworkWish(NetworkOptions.parse(params, "10.87.0.0/24", "fd87::/64", None), peers)


def network_view(*names, attached=()):
    return NetworkView({name: ContainerView(name, f"id-{name}", name, attached=name in attached) for name in names})


def spec_of(name, **options):
    return ContainerSpec(name=name, image="debian", hostname=name, **options)


def settled(view, wishes):
    """The view after the specs of `wishes` were written, which a second plan leaves unchanged."""
    after = plan_specs(view, wishes)[1]
    assert plan_specs(after, wishes)[0] == []
    return after


def callable_from(view):
    """Names that each container may call, with the ports."""
    return {
        name: {entry.peer: ", ".join(map(str, entry.ports)) for entry in found.spec.peers}
        for name, found in view.containers.items()
        if found.spec
    }


# Networks


def test_addresses_are_given_in_the_order_of_the_members():
    view = settled(network_view("a", "b", "c"), {"c": wish(), "a": wish(), "b": NONE})
    assert view.containers["c"].spec.ipv4 == "10.87.0.2" and view.containers["a"].spec.ipv4 == "10.87.0.3"
    assert view.containers["b"].spec is None


def test_network_that_is_kept_is_made_if_there_is_none():
    view = settled(network_view("a", "b"), {"a": wish(Peer("b"), internet=True), "b": wish()})
    kept = replace(wish(Peer("b")), keeps_network=True)
    assert plan_specs(view, {"a": kept, "b": replace(wish(), keeps_network=True)})[0] == []
    actions, after = plan_specs(network_view("a", "b"), {"a": kept, "b": wish()})
    assert len(actions) == 2 and not after.containers["a"].spec.internet
    # Another run may have made one after this one was parsed.
    assert plan_specs(view, {"a": NetworkWish(None, None, keeps_network=True)})[0] == []


def test_peers_of_others_stay_if_a_container_without_a_network_failed():
    view = settled(network_view("a", "b", "job"), {"a": wish(Peer("b")), "b": wish(), "job": NONE})
    kept = NetworkWish(None, None, keeps_network=True)
    assert plan_specs(view, {name: kept.without_peers({"job"}) for name in ("a", "b")})[0] == []
    assert wish(Peer("b"), Peer("job")).without_peers({"job"}).peers == (Peer("b"),)


def test_members_keep_their_addresses_when_others_join():
    view = settled(network_view("a", "b"), {"b": wish()})
    after = settled(view, {"a": wish(), "b": wish()})
    assert after.containers["b"].spec == view.containers["b"].spec
    assert after.containers["a"].spec.ipv4 == "10.87.0.3"


def test_equal_wishes_need_no_action():
    wishes = {"a": wish(Peer("b")), "b": wish(expose=["80-8080"])}
    view = settled(network_view("a", "b"), wishes)
    assert plan_specs(view, wishes) == ([], view)


def test_host_ports_move_between_members_in_one_plan():
    view = settled(network_view("a", "b"), {"a": wish(expose=["80-8080"]), "b": wish(expose=["80-8081"])})
    swapped = {"a": wish(expose=["80-8081"]), "b": wish(expose=["80-8080"])}
    assert [action.container for action in plan_specs(view, swapped)[0]] == ["a", "b"]
    settled(view, swapped)


def test_host_port_of_a_removed_network_is_free_for_another_member():
    view = settled(network_view("a", "b"), {"a": wish(expose=["80-8080"])})
    for order in (("a", "b"), ("b", "a")):
        wishes = {"a": NONE, "b": wish(expose=["80-8080"])}
        actions, _ = plan_specs(view, {name: wishes[name] for name in order})
        assert {type(action) for action in actions} == {RemoveNetworkSpec, WriteNetworkSpec}


def test_host_port_is_refused_if_two_members_or_another_container_or_a_program_has_it():
    wishes = {"a": wish(expose=["80-8080"]), "b": wish(expose=["81-8080"])}
    with pytest.raises(Conflict, match="container b: host port 8080/tcp is already exposed by container a"):
        plan_specs(network_view("a", "b"), wishes)
    view = settled(network_view("a", "other"), {"other": wish(expose=["80-8080"])})
    with pytest.raises(Conflict, match="container a: host port 8080/tcp is already exposed by container other"):
        plan_specs(view, {"a": wish(expose=["80-8080"])})
    view = replace(network_view("a"), listeners=(Listening("tcp", "0.0.0.0", 8080, "nginx"),))
    with pytest.raises(Conflict, match="container a: host port 8080/tcp is already used by nginx"):
        plan_specs(view, {"a": wish(expose=["80-8080"])})


def test_present_host_port_is_kept_even_if_a_program_listens_on_it():
    wishes = {"a": wish(expose=["80-8080"])}
    view = settled(network_view("a"), wishes)
    view = replace(view, listeners=(Listening("tcp", "0.0.0.0", 8080, "proxy"),))
    assert plan_specs(view, wishes)[0] == []


def test_peers_are_complete():
    view = settled(network_view("a", "b", "c"), {"a": wish(Peer("b", both=True), Peer("c")), "b": wish(), "c": wish()})
    assert callable_from(view) == {"a": {"b": "", "c": ""}, "b": {"a": ""}, "c": {}}
    view = settled(view, {"a": wish(Peer("b", both=False)), "b": wish(), "c": wish()})
    assert callable_from(view) == {"a": {"b": ""}, "b": {}, "c": {}}


def test_ports_of_a_peer_hold_in_both_directions():
    ports = parse_port_ranges(["80/tcp"])
    view = settled(network_view("a", "b"), {"a": wish(Peer("b", ports, both=True)), "b": wish()})
    assert callable_from(view) == {"a": {"b": "80/tcp"}, "b": {"a": "80/tcp"}}


def test_container_outside_of_the_stack_is_not_changed():
    outside = settled(network_view("a", "out", "x"), {"out": wish(Peer("x")), "x": wish()})
    view = settled(outside, {"a": wish(Peer("out"))})
    assert callable_from(view) == {"a": {"out": ""}, "out": {"x": ""}, "x": {}}
    assert view.containers["out"].spec == outside.containers["out"].spec


def test_peer_without_a_network_or_a_container_is_refused():
    with pytest.raises(Conflict) as caught:
        plan_specs(network_view("a", "out"), {"a": wish(Peer("out"))})
    assert str(caught.value) == "container out has no network, and is a peer of a. Set its network."
    with pytest.raises(NotFound, match="container nobody does not exist"):
        plan_specs(network_view("a"), {"a": wish(Peer("nobody"))})


def test_removed_network_is_no_peer_any_more():
    view = settled(network_view("a", "b"), {"a": wish(Peer("b")), "b": wish()})
    actions, after = plan_specs(view, {"a": wish(), "b": NONE})
    assert actions == [WriteNetworkSpec("a", after.containers["a"].spec), RemoveNetworkSpec("b")]
    assert callable_from(after) == {"a": {}}


def test_members_that_are_not_created_yet_are_left_out():
    assert (
        plan_specs(network_view("a"), {"a": wish(), "new": wish()})[0]
        == plan_specs(network_view("a"), {"a": wish()})[0]
    )


def test_foreseen_members_are_planned_like_present_ones():
    wishes = {"a": wish(Peer("b")), "b": wish()}
    foreseen = with_members(network_view(), {"a": "a", "b": "b"}, attached={"a", "b"}, removed=())
    present = network_view("a", "b", attached=("a", "b"))
    described = [[action.describe() for action in plan_attach(view, wishes, POLICY)] for view in (foreseen, present)]
    assert described[0] == described[1] and any(text.startswith("connect a") for text in described[0])


def test_removed_members_are_gone_and_attached_ones_have_a_new_link():
    view = with_members(network_view("a", "b", "c", attached=("a",)), {"a": "host", "b": "b"}, {"b"}, {"c"})
    assert set(view.containers) == {"a", "b"}
    assert view.containers["a"].hostname == "host" and view.containers["b"].attached
    assert view.containers["a"].container_id == "id-a", "an existing container keeps its id"


def test_links_are_only_made_for_members_with_a_network_namespace():
    actions = plan_attach(network_view("a", "b", attached=("b",)), {"a": wish(), "b": wish()}, POLICY)
    assert [action.container for action in actions if isinstance(action, Connect)] == ["b"]


# Owner


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ((), "container web exists and belongs to no stack, not to stack shop"),
        ((("conductor.stack", "other"),), "container web exists and belongs to stack other, not to stack shop"),
    ],
)
def test_container_of_somebody_else_is_refused(labels, told):
    stack = parse_stack({"name": "shop", "containers": {"web": {}}})
    view = StackView({"web": plan.ContainerView(spec=spec_of("web", labels=labels))}, NetworkView())
    with pytest.raises(Conflict) as caught:
        require_own(stack, view)
    assert told in str(caught.value) and "label conductor.stack=shop" in str(caught.value)


def test_own_and_new_containers_are_accepted():
    stack = parse_stack({"name": "shop", "containers": {"web": {}, "new": {}}})
    own = spec_of("web", labels=(("conductor.stack", "shop"),))
    require_own(stack, StackView({"web": plan.ContainerView(spec=own), "new": plan.ContainerView()}, NetworkView()))


# Phases


def stack_plan(members, wishes, network=None, states=None):
    """Plan of `members`: a view of each by name; `states`: the requested ones, started by default."""
    states = states or {}
    view = StackView(members, network_view() if network is None else network)
    plans = {}
    for name in members:
        state = states.get(name, "started")
        own = replace(members[name], has_network=state != "absent" and wishes[name].options is not None)
        wanted = None if state == "absent" else spec_of(name)
        plans[name] = plan.plan_container(wanted, name, own, plan.Request(state))
    hostnames = {name: name for name in members if states.get(name) != "absent"}
    planned = plan_stack(plans, view, wishes, POLICY, hostnames)
    return planned, list(predict(planned, view, wishes, POLICY, hostnames))


def kinds(actions):
    return [(action.container, type(action.action).__name__) for action in actions]


def running(name, **values):
    return plan.ContainerView(
        spec=spec_of(name), running=True, should_run=True, has_network_namespace=True, **values
    )  # fmt: skip


def test_new_stack_is_created_then_connected_then_started():
    members = {"a": plan.ContainerView(unregistered=(IdRange(524288),)), "b": plan.ContainerView()}
    planned, foreseen = stack_plan(members, {"a": wish(Peer("b")), "b": wish()})
    assert planned.register == (IdRange(524288),) and not planned.down and not planned.detach and planned.attach
    assert kinds(planned.local) == [
        ("a", "CreateContainer"), ("a", "CreateNetworkNamespace"),
        ("b", "CreateContainer"), ("b", "CreateNetworkNamespace"),
    ]  # fmt: skip
    assert kinds(planned.up) == [("a", "StartProcess"), ("b", "StartProcess")]
    order = [type(action).__name__ for action in planned.plan().actions]
    assert order == ["RegisterIds", *["MemberAction"] * 4, "ChangeNetworks", *["MemberAction"] * 2]
    told = [action.describe() for action in foreseen]
    for name in ("a", "b"):
        steps = [
            f"create container {name} ",
            f"write the network of {name}",
            f"connect {name} ",
            f"start container {name}",
        ]
        places = [next(place for place, text in enumerate(told) if text.startswith(step)) for step in steps]
        assert places == sorted(places)
    assert not any(isinstance(action, ChangeNetworks) for action in foreseen), "each change is foreseen by itself"


def test_ids_of_several_members_are_registered_once():
    members = {name: plan.ContainerView(unregistered=(IdRange(524288),)) for name in "ab"}
    assert stack_plan(members, dict.fromkeys(members, NONE))[0].register == (IdRange(524288),)


def test_settled_stack_has_no_actions():
    planned, foreseen = stack_plan({"a": running("a")}, {"a": NONE}, network_view("a"))
    assert planned.plan().actions == () and foreseen == [] and planned.before == planned.after == {}


def test_stack_without_networks_changes_none():
    planned, _ = stack_plan({"a": plan.ContainerView()}, {"a": NONE})
    assert not planned.attach and kinds(planned.up) == [("a", "StartProcess")]


def test_change_of_a_network_alone_touches_no_container():
    planned, foreseen = stack_plan({"a": running("a")}, {"a": wish()}, network_view("a", attached=("a",)))
    assert planned.plan().actions == (ChangeNetworks(attached=True),)
    assert foreseen[0].describe() == "write the network of a"


def test_removal_stops_disconnects_and_then_removes():
    wishes = {"a": wish(Peer("b")), "b": wish()}
    network = settled(network_view("a", "b", attached=("a", "b")), wishes)
    members = {name: running(name, has_network_or_link=True) for name in "ab"}
    planned, _ = stack_plan(members, dict.fromkeys("ab", NONE), network, dict.fromkeys("ab", "absent"))
    assert kinds(planned.down) == [("a", "StopProcesses"), ("b", "StopProcesses")]
    assert planned.detach == ("a", "b") and not planned.up
    assert ("a", "RemoveContainer") in kinds(planned.local) and ("b", "RemoveContainer") in kinds(planned.local)
    order = [type(action).__name__ for action in planned.plan().actions]
    assert order.index("ChangeNetworks") == 2, "after both stops, before anything is removed"
    assert {name: found["state"] for name, found in planned.before.items()} == {"a": "running", "b": "running"}


def test_diff_has_only_the_containers_that_change():
    planned, _ = stack_plan({"a": running("a"), "b": plan.ContainerView()}, {"a": NONE, "b": NONE}, network_view("a"))
    assert set(planned.before) == set(planned.after) == {"b"}


def test_impossible_network_is_an_error_of_the_plan():
    with pytest.raises(Conflict, match="already exposed"):
        stack_plan(
            {name: plan.ContainerView() for name in "ab"},
            {"a": wish(expose=["80-8080"]), "b": wish(expose=["80-8080"])},
        )


def test_images_are_foreseen_first():
    view = StackView({}, NetworkView(), images=(ChangeImage("app", "build image app"),))
    planned = plan_stack({}, view, {}, POLICY, {})
    assert [action.describe() for action in predict(planned, view, {}, POLICY, {})] == ["build image app"]


def test_diff_has_the_networks_that_change():
    network = settled(network_view("a", "b", attached=("a", "b")), {"a": wish(), "b": wish()})
    members = {name: running(name) for name in "ab"}
    wishes = {"a": wish(expose=["80-8080"]), "b": wish(Peer("a"))}
    planned, _ = stack_plan(members, wishes, network)
    before, after = (side["a"]["network"] for side in (planned.before, planned.after))
    assert before["expose"] == [] and after["expose"][0]["host_port"] == 8080
    assert before["ipv4"] == after["ipv4"] and "container_id" not in after
    assert planned.before["b"]["network"]["peers"] == [] and len(planned.after["b"]["network"]["peers"]) == 1
    gone, _ = stack_plan({"a": running("a")}, {"a": NONE}, network)
    assert gone.before["a"]["network"] == before and gone.after["a"]["network"] is None
    same, _ = stack_plan(members, {"a": wish(), "b": wish()}, network)
    assert not same.before and not same.after
