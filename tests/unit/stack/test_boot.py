"""Boot of a host: the containers that it starts, and their order."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._stack.plan.boot import autostarts, start_order
from hypothesis import given
from hypothesis import strategies as st

NAMES = ["a", "b", "c", "d", "e"]
edges = st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES)))


@pytest.mark.parametrize(
    ("policy", "given", "is_wanted", "has_run", "starts"),
    [
        ("always", None, True, True, True),
        ("always", None, False, True, True),
        ("always", None, False, False, False),
        ("always", False, True, True, False),
        ("unless-stopped", None, True, False, True),
        ("unless-stopped", None, False, True, False),
        ("on-failure", None, True, True, False),
        ("no", None, True, True, False),
        ("no", True, True, True, True),
        ("no", True, False, True, False),
    ],
)
def test_containers_that_a_boot_starts_are_those_of_docker(policy, given, is_wanted, has_run, starts):
    spec = ContainerSpec("web", "debian", restart_policy=policy, autostart=given)
    assert autostarts(spec, is_wanted, has_run) is starts


def test_dependencies_and_called_peers_are_started_before():
    found = start_order({"web": [], "app": ["cache", "gone"], "db": [], "cache": []}, {"web": ["app"], "app": ["db"]})
    assert found == {"web": {"app"}, "app": {"cache", "db"}, "db": set(), "cache": set()}


def test_dependency_is_stronger_than_a_peer_in_a_cycle():
    assert start_order({"web": ["db"], "db": []}, {"db": ["web"], "web": ["db"]}) == {"web": {"db"}, "db": set()}


@given(edges, edges)
def test_order_has_no_cycle(depends_on, peers):
    left = dict(start_order({name: depends_on.get(name, ()) for name in NAMES}, peers))
    while free := [name for name in left if not left[name] & left.keys()]:
        for name in free:
            del left[name]
    assert not left
