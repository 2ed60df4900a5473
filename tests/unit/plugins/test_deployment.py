"""The steps of role deploy."""

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.conductor.containers.plugins.filter.deployment import deployment

IMAGE = {"name": "demo", "suite": "trixie"}


def test_a_container_is_created_before_its_network_and_started_after():
    steps = deployment([{"name": "web", "image": IMAGE, "network": {"internet": True}, "wait": ["true"]}])
    assert steps["images"] == [IMAGE]
    assert steps["create"] == [{"name": "web", "image": "demo", "wait": ["true"], "state": "present"}]
    assert steps["networks"] == [{"container": "web", "internet": True, "peers": []}]
    assert steps["start"] == [{"name": "web", "image": "demo", "wait": ["true"]}]


def test_a_container_that_exists_is_not_created_again():
    steps = deployment([{"name": "web", "image": "demo"}], existing=[{"name": "web"}])
    assert steps["create"] == []
    assert steps["start"] == [{"name": "web", "image": "demo"}]


def test_a_container_to_be_stopped_is_not_started():
    steps = deployment([{"name": "web", "image": "demo", "state": "stopped"}], existing=[{"name": "web"}])
    assert [item["state"] for item in steps["create"]] == ["stopped"]
    assert steps["start"] == []


def test_an_absent_container_is_only_removed():
    steps = deployment([{"name": "web", "state": "absent", "image": IMAGE, "network": {}}])
    assert steps["absent"] == [{"name": "web", "state": "absent"}]
    assert not any(steps[step] for step in ("images", "create", "networks", "start"))


def test_the_same_image_is_built_once():
    steps = deployment(
        [{"name": "a", "image": IMAGE}, {"name": "b", "image": dict(IMAGE)}, {"name": "c", "image": "x"}]
    )
    assert steps["images"] == [IMAGE]


def test_unlisted_peer_is_removed():
    networks = [
        {"container": "web", "peers": [{"peer": "db", "ports": []}, {"peer": "cache", "ports": []}]},
        {"container": "db", "peers": [{"peer": "web", "ports": []}]},
    ]
    steps = deployment(
        [
            {"name": "web", "image": "x", "network": {}, "peers": [{"peer": "db", "direction": "to"}]},
            {"name": "db", "image": "x", "network": {}},
        ],
        networks=networks,
    )
    peers = {item["container"]: item["peers"] for item in steps["networks"]}
    assert peers["web"] == [
        {"peer": "db", "direction": "to"},
        {"peer": "cache", "direction": "to", "state": "absent"},
    ]
    assert peers["db"] == [{"peer": "web", "direction": "to", "state": "absent"}]


def test_peer_of_both_directions_is_kept_on_one_side():
    networks = [{"container": "db", "peers": [{"peer": "web", "ports": []}]}]
    steps = deployment(
        [{"name": "web", "image": "x", "network": {}, "peers": ["db"]}, {"name": "db", "image": "x", "network": {}}],
        networks=networks,
    )
    assert [item["peers"] for item in steps["networks"]] == [[{"peer": "db"}], []]


def test_unlisted_network_is_removed():
    steps = deployment([{"name": "web", "image": "x"}], networks=[{"container": "web", "peers": []}])
    assert steps["networks"] == [{"container": "web", "state": "absent", "peers": []}]


def test_unlisted_containers_are_unchanged():
    steps = deployment([], existing=[{"name": "other"}], networks=[{"container": "other", "peers": []}])
    assert not any(steps.values())


def test_check_mode_skips_containers_that_do_not_exist():
    containers = [
        {"name": "web", "image": IMAGE, "network": {}, "peers": ["db"]},
        {"name": "db", "image": IMAGE, "network": {}, "peers": ["web"]},
    ]
    steps = deployment(containers, existing=[{"name": "web"}], check=True)
    assert steps["unmade"] == ["db"]
    assert [item["name"] for item in steps["create"] + steps["start"]] == ["web"]
    assert steps["networks"] == [{"container": "web", "peers": []}]


@pytest.mark.parametrize(
    ("containers", "says"),
    [
        ([{"name": "web", "image": "x"}, {"name": "web", "image": "y"}], "web is listed more than once"),
        ([{"name": "a", "image": IMAGE}, {"name": "b", "image": {**IMAGE, "suite": "sid"}}], "gives other options"),
        ([{"name": "a", "image": {"suite": "sid"}}], "image of container a has no name"),
        ([{"name": "a", "image": "x", "peers": ["b"]}], "no network"),
    ],
)
def test_inconsistent_list_is_an_error(containers, says):
    with pytest.raises(AnsibleFilterError, match=says):
        deployment(containers)
