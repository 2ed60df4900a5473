"""Options of containers: valid and invalid values, and the specification on disk."""

import json

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.spec import capabilities
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.merge import merge, parse_changes
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.signals import parse_signal
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.values import parse_hostname
from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor.policy import (
    POWERED_OFF,
    REBOOTED,
    backoff,
    exit_record,
    should_restart,
)
from ansible_collections.conductor.containers.plugins.module_utils._container.supervisor.records import status_in
from ansible_collections.conductor.containers.plugins.module_utils._engine.names import parse_name
from ansible_collections.conductor.containers.plugins.module_utils._engine.sizes import parse_size
from ansible_collections.conductor.containers.plugins.module_utils._errors import Damaged, InvalidInput
from hypothesis import given
from hypothesis import strategies as st

NEW = {"name": "web", "image": "debian"}


@given(st.text(max_size=80))
def test_accepted_name_is_one_path_component(text):
    try:
        name = parse_name(text, "name")
    except InvalidInput:
        return
    assert (
        1 <= len(name) <= 63
        and "/" not in name
        and not name.startswith(".")
        and name.isascii()
        and name.strip() == name
    )


@given(st.integers(0, 1 << 30), st.sampled_from(["", "k", "m", "G", "KiB", "b"]))
def test_sizes_are_powers_of_1024(number, unit):
    factor = 1024 ** {"": 0, "b": 0, "k": 1, "m": 2, "g": 3}[unit.lower().removesuffix("ib") if unit != "b" else ""]
    assert parse_size(f"{number}{unit}", "memory") == number * factor


@pytest.mark.parametrize(("text", "number"), [("TERM", 15), ("SIGHUP", 1), ("9", 9), ("sigrtmin+3", 37), (15, 15)])
def test_signals_by_name_and_number(text, number):
    assert parse_signal(text, "stop_signal") == number


@pytest.mark.parametrize("text", ["SIGFOO", "0", "65", "SIGRTMIN+99", "", "-9"])
def test_invalid_signal_is_refused(text):
    with pytest.raises(InvalidInput, match="is not a signal"):
        parse_signal(text, "stop_signal")


def test_spec_survives_a_round_trip_to_disk():
    mounts = [{"target": "/a/b", "type": "tmpfs", "size": "1m"}, {"target": "/a", "source": "/srv"}]
    given_options = {**NEW, "env": {"B": "2", "A": "1"}, "mounts": mounts, "capabilities": {"add": ["cap_net_admin"]}}
    spec = merge(None, parse_changes(given_options))
    assert ContainerSpec.from_json(spec.to_json() | {"mounts": [m.__dict__ for m in spec.mounts]}, "x") == spec
    assert [mount.target for mount in spec.mounts] == ["/a", "/a/b"], "a parent is mounted before what lies below it"
    assert spec.env == (("A", "1"), ("B", "2")) and spec.capabilities_add == ("NET_ADMIN",)


def test_options_that_are_not_given_keep_their_values():
    old = merge(None, parse_changes({**NEW, "memory": "64m", "env": {"A": "1"}}))
    assert merge(old, parse_changes({"name": "web", "memory": None})) == old
    assert merge(old, parse_changes({"name": "web", "env": {}})).env == ()


def test_a_spec_that_lacks_a_part_is_damaged():
    value = merge(None, parse_changes(NEW)).to_json()
    del value["image"]
    with pytest.raises(Damaged, match=r"container\.json is damaged"):
        ContainerSpec.from_json(value, "container.json")


def test_bounding_sets():
    assert "MKNOD" not in capabilities.DEFAULT and "SYS_ADMIN" not in capabilities.DEFAULT
    default = capabilities.DEFAULT
    assert capabilities.bounding(default, (), ("ALL",)) == frozenset()
    assert capabilities.bounding(default, ("CHOWN",), ("ALL",)) == {"CHOWN"}
    assert capabilities.bounding(default, ("ALL",), ("SYS_ADMIN",)) == capabilities.ALL - {"SYS_ADMIN"}
    assert capabilities.mask(["CHOWN", "SETUID"]) == 1 | 1 << 7


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, capabilities.DEFAULT),
        ({"init": True}, capabilities.MACHINE),
        ({"init": True, "userns": "host"}, capabilities.DEFAULT),
        ({"init": True, "capabilities_drop": ("SYS_ADMIN",)}, capabilities.MACHINE - {"SYS_ADMIN"}),
        ({"init": True, "capabilities_drop": ("ALL",)}, frozenset()),
        ({"privileged": True}, capabilities.ALL),
    ],
)
def test_capabilities_of_a_container(options, found):
    assert ContainerSpec(name="web", image="debian", **options).bounding == found


@pytest.mark.parametrize(
    ("policy", "retries", "wanted", "code", "restarts", "again"),
    [
        # reboot(2) inside, whatever the policy is.
        ("no", 0, "running", REBOOTED, 0, True),
        ("on-failure", 1, "running", REBOOTED, 9, True),
        ("no", 0, "stopped", REBOOTED, 0, False),
        ("always", 0, "running", POWERED_OFF, 0, False),
        ("on-failure", 0, "running", POWERED_OFF, 0, False),
        ("no", 0, "running", 1, 0, False),
        ("always", 0, "running", 0, 9, True),
        ("always", 0, "stopped", 1, 0, False),
        ("unless-stopped", 0, "running", 0, 9, True),
        ("unless-stopped", 0, "stopped", 1, 0, False),
        ("on-failure", 0, "running", 0, 0, False),
        ("on-failure", 0, "running", -9, 50, True),
        ("on-failure", 3, "running", 1, 2, True),
        ("on-failure", 3, "running", 1, 3, False),
        ("on-failure", 0, "running", None, 0, True),
    ],
)
def test_restart_policies(policy, retries, wanted, code, restarts, again):
    spec = {"restart_policy": policy, "restart_retries": retries, "wanted": wanted}
    assert should_restart(spec, code, restarts) is again


@pytest.mark.parametrize(
    ("status", "code", "number"),
    [(3, 3, None), (None, None, None), (-9, 137, 9), (REBOOTED, 0, 1), (POWERED_OFF, 0, 2)],
)
def test_exit_records(status, code, number):
    record = exit_record({"pid": 7, "start_time": 8}, status, False, 1.5)
    assert (record["exit_code"], record["signal"]) == (code, number)
    assert status_in(record) == status


@pytest.mark.parametrize(
    ("policy", "given", "starts"),
    [
        ("no", None, False),
        ("on-failure", None, False),
        ("always", None, True),
        ("unless-stopped", None, True),
        ("unless-stopped", False, False),
        ("no", True, True),
    ],
)
def test_autostart_defaults_to_the_restart_policy(policy, given, starts):
    spec = merge(None, parse_changes({"name": "web", "image": "debian", "restart_policy": policy, "autostart": given}))
    assert spec.starts_at_boot is starts
    assert ContainerSpec.from_json(spec.to_json(), "container.json") == spec


@given(st.integers(0, 10000))
def test_a_crash_loop_slows_down_to_a_minute(restarts):
    assert 0 < backoff(restarts) <= backoff(restarts + 1) <= 60


def test_missing_options_of_an_older_release_get_their_former_behavior():
    """Such a container used the host's ids, to which its files still belong."""
    old = {
        "name": "web",
        "image": "debian",
        "command": ["/bin/sleep", "1"],
        "mounts": [{"type": "bind", "target": "/a"}],
    }
    spec = ContainerSpec.from_json(old, "container.json")
    assert spec.userns == "host" and spec.command == ("/bin/sleep", "1") and spec.mounts[0].idmap
    assert ContainerSpec.from_json(spec.to_json(), "container.json") == spec
    with pytest.raises(Damaged, match="image"):
        ContainerSpec.from_json({"name": "web"}, "container.json")


def test_labels_are_texts_by_name_and_come_back_from_the_file():
    changes = parse_changes({"name": "web", "image": "debian", "labels": {"tier": "front", "port": 80}})
    spec = merge(None, changes)
    assert spec.labels == (("port", "80"), ("tier", "front"))
    assert ContainerSpec.from_json(json.loads(json.dumps(spec.to_json())), "x") == spec
    assert not ContainerSpec.from_json({k: v for k, v in spec.to_json().items() if k != "labels"}, "x").labels


@pytest.mark.parametrize("labels", [{"": "x"}, {"a\n": "x"}, {"a": None}, {"a": ["x"]}, {"a": {}}])
def test_invalid_labels_are_refused(labels):
    with pytest.raises(InvalidInput, match="labels"):
        parse_changes({"name": "web", "image": "debian", "labels": labels})


def test_mount_of_host_sysctls_requires_privileged_and_host_ids():
    sysctl = {"source": "/proc/sys/kernel/core_pattern", "target": "/proc/sys/kernel/core_pattern"}
    given = {"name": "web", "image": "debian", "mounts": [sysctl]}
    with pytest.raises(InvalidInput, match="privileged: true and userns: host"):
        merge(None, parse_changes(given))
    merge(None, parse_changes({**given, "privileged": True, "userns": "host"}))
    for mount in (
        {"source": "/tmp", "target": "/proc/sys"},
        {"source": "/proc/sysrq-trigger", "target": "/proc/sysrq-trigger"},
        {"type": "tmpfs", "target": "/proc/sys"},
    ):
        with pytest.raises(InvalidInput, match="is in /proc"):
            parse_changes({**given, "mounts": [mount]})


@pytest.mark.parametrize(
    ("name", "hostname"),
    [("web", "web"), ("My_Box", "My-Box"), ("a_.b-", "a.b"), ("db__1.example", "db-1.example"), ("x" * 63, "x" * 63)],
)
def test_default_host_name_is_one(name, hostname):
    assert merge(None, {"name": name, "image": "debian"}).hostname == hostname == parse_hostname(hostname, "hostname")
