"""Plans of containers, carried out on a model of the host: they reach the wanted state, and a second plan is empty."""

from dataclasses import replace

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.plan import container as plan
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import (
    ContainerSpec,
    applies,
    options,
)
from ansible_collections.conductor.containers.plugins.module_utils._engine.id_range import IdRange
from ansible_collections.conductor.containers.plugins.module_utils._engine.option import LIVE
from ansible_collections.conductor.containers.plugins.module_utils._errors import Conflict, NotFound
from ansible_collections.conductor.containers.plugins.module_utils._network.plan import stages
from hypothesis import given, settings
from hypothesis import strategies as st

SPEC = ContainerSpec(name="web", image="debian", hostname="web")
specs = st.builds(
    ContainerSpec,
    name=st.just("web"),
    image=st.sampled_from(["debian", "other"]),
    hostname=st.just("web"),
    memory=st.sampled_from([0, 1 << 26]),
    env=st.sampled_from([(), (("A", "1"),)]),
    restart_policy=st.sampled_from(["no", "always"]),
)
NAMESPACE = "network namespace"
leftovers = st.sampled_from([(), ("cgroup",), ("cgroup", "run state"), ("cgroup", NAMESPACE)])


@st.composite
def views(draw):
    spec = draw(st.none() | specs)
    running = draw(st.booleans())
    left = () if running else draw(leftovers)
    networked = spec is not None and draw(st.booleans())
    namespace = running or NAMESPACE in left
    return plan.ContainerView(
        has_network=networked,
        has_network_or_link=networked and namespace and (running or draw(st.booleans())),
        has_network_namespace=namespace,
        spec=spec,
        running=running,
        should_run=spec is not None and draw(st.booleans()),
        kept_for_boot=spec is not None and draw(st.booleans()),
        supervised=draw(st.booleans()),
        leftovers=left,
        limits_applied=draw(st.booleans()),
        incomplete=spec is None and draw(st.booleans()),
        unregistered=draw(st.sampled_from([(), (IdRange(524288),)])),
    )


wishes = st.builds(
    plan.Request,
    state=st.sampled_from(["present", "started", "restarted", "stopped", "absent"]),
    restart=st.booleans(),
    recreate=st.booleans(),
    force=st.booleans(),
)


def simulate(view, action):  # noqa: PLR0911, PLR0912
    """State of the host after one action: the specification of the effects on a real kernel."""
    if isinstance(action, plan.RegisterIds):
        return replace(view, unregistered=())
    if isinstance(action, plan.StopProcesses):
        left = ("cgroup", "run state", NAMESPACE) if view.running else view.leftovers
        return replace(view, running=False, should_run=False, kept_for_boot=False, leftovers=left)
    if isinstance(action, plan.CleanUp):
        assert not view.running, "cleaned up under a running process"
        assert not view.has_network_or_link, "the namespace went before the link's elements"
        return replace(view, leftovers=(), has_network_namespace=False)
    if isinstance(action, plan.CreateNetworkNamespace):
        assert view.has_network and not view.has_network_namespace
        return replace(view, has_network_namespace=True, leftovers=(*view.leftovers, NAMESPACE))
    if isinstance(action, stages.AttachNetwork):
        assert view.has_network_namespace and not view.running, "the first process ran before its network"
        return replace(view, has_network_or_link=True)
    if isinstance(action, stages.DetachNetwork):
        assert not view.running
        return replace(view, has_network_or_link=False)
    if isinstance(action, (stages.RemoveNameFromCallers, stages.UpdateNameInCallers)):
        return view
    if isinstance(action, plan.CreateContainer):
        assert view.spec is None and not view.running
        return replace(view, spec=action.spec, incomplete=False, limits_applied=True)
    if isinstance(action, plan.UpdateSpec):
        return replace(view, spec=action.spec)
    if isinstance(action, plan.ApplyLimits):
        assert view.running
        return replace(view, limits_applied=True)
    if isinstance(action, plan.ResetRoot):
        assert not view.running and not view.leftovers, "the root was discarded while it was in use"
        return view
    if isinstance(action, plan.StartProcess):
        assert view.spec == action.spec and not view.running
        assert view.has_network_or_link == view.has_network
        started = replace(view, running=True, should_run=True, supervised=True, leftovers=(), limits_applied=True)
        return replace(started, has_network_namespace=True)
    if isinstance(action, plan.StartSupervisor):
        return replace(view, supervised=True)
    if isinstance(action, plan.CancelStop):
        assert view.running
        return replace(view, should_run=True)
    assert isinstance(action, plan.RemoveContainer) and not view.running and not view.leftovers
    return replace(view, spec=None, should_run=False, incomplete=False, damage="", has_network=False)


def planned(wanted, view, wish):
    return plan.plan_container(None if wish.state == "absent" else wanted, "web", view, wish)


@settings(max_examples=400)
@given(specs, views(), wishes)
def test_plan_reaches_the_wanted_state_and_second_plan_is_empty(wanted, view, wish):
    if view.incomplete:
        view = replace(view, incomplete=False)
    try:
        first = planned(wanted, view, wish)
    except Conflict:
        assert not (wish.recreate and wish.allows_restart), "with both nothing is refused"
        return
    if wish.state == "restarted" and view.running:
        assert any(isinstance(action, plan.StopProcesses) for action in first.actions)
    for action in first.actions:
        view = simulate(view, action)
    assert planned(wanted, view, again(wish)).actions == ()
    if wish.state == "absent":
        assert view.spec is None and not view.running and not view.leftovers
        return
    assert view.spec == wanted
    assert (view.running and view.should_run) or wish.state not in ("started", "restarted")
    assert not (view.running or view.should_run) or wish.state != "stopped"


@settings(max_examples=400)
@given(specs, views(), wishes, st.integers(0, 6))
def test_next_run_converges_after_an_interrupted_plan(wanted, view, wish, steps):
    if view.incomplete:
        view = replace(view, incomplete=False)
    wish = replace(wish, restart=True, recreate=True)
    try:
        actions = planned(wanted, view, wish).actions
    except Conflict:
        # It runs, and stays unchanged.
        assert wish.state == "present" and view.running
        return
    for action in actions[:steps]:
        view = simulate(view, action)
    for action in planned(wanted, view, wish).actions:
        view = simulate(view, action)
    assert planned(wanted, view, again(wish)).actions == ()


def again(wish):
    """The actions that remain when the engine observes again."""
    return replace(wish, state="started") if wish.state == "restarted" else wish


@given(st.sampled_from(sorted(name for name in options() if applies(name) == LIVE)))
def test_live_options_never_need_a_restart(option):
    values = {"restart_policy": "always", "cpus": 1.0, "stop_timeout": 3.0, "labels": (("tier", "front"),)}
    value = values.get(option, 5)
    wanted = replace(SPEC, **{option: value})
    view = plan.ContainerView(spec=SPEC, running=True, should_run=True)
    actions = plan.plan_container(wanted, "web", view, plan.Request("started")).actions
    assert actions[-1] == plan.UpdateSpec(wanted, (option,)), "written down when the kernel has taken it"


def test_other_options_of_a_running_container_are_refused_by_name():
    wanted = replace(SPEC, env=(("A", "1"),), read_only=True)
    view = plan.ContainerView(spec=SPEC, running=True, should_run=True)
    for wish in (
        plan.Request("started"),
        plan.Request("started", recreate=True),
        plan.Request("present", restart=True),
    ):
        with pytest.raises(Conflict, match=r"web: env, read_only cannot change while the container runs\. Set restart"):
            plan.plan_container(wanted, "web", view, wish)


@pytest.mark.parametrize("wish", [plan.Request("started", restart=True), plan.Request("restarted")])
def test_a_restart_keeps_the_root_file_system(wish):
    wanted = replace(SPEC, env=(("A", "1"),))
    view = plan.ContainerView(spec=SPEC, running=True, should_run=True)
    kinds = [type(action) for action in plan.plan_container(wanted, "web", view, wish).actions]
    assert kinds == [plan.StopProcesses, plan.CleanUp, plan.UpdateSpec, plan.StartProcess]


def test_allowed_restart_is_not_done_if_no_option_requires_it():
    view = plan.ContainerView(spec=SPEC, running=True, should_run=True)
    assert plan.plan_container(SPEC, "web", view, plan.Request("started", restart=True)).actions == ()


def test_missing_image_is_an_error_of_the_plan():
    view = plan.ContainerView(image_exists=False)
    with pytest.raises(NotFound, match="image debian does not exist"):
        plan.plan_container(SPEC, "web", view, plan.Request("started"))
