"""The options of a task and those that a container has already: init, and values that cannot be stored."""

import json

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.merge import merge, parse_changes
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput
from ansible_collections.conductor.containers.plugins.module_utils._network.spec.network import parse_uplink

NEW = {"name": "web", "image": "debian"}


def updated(old, **options):
    return merge(old, parse_changes({"name": "web", **options}))


def test_init_sets_command_and_stop_signal_and_resets_them():
    booted = updated(None, **NEW, init=True)
    assert (booted.command, booted.stop_signal) == (("/sbin/init",), 37)
    plain = updated(booted, init=False)
    assert (plain.command, plain.stop_signal) == (("/bin/bash",), 15)
    assert updated(booted, init=False, command=["a"], stop_signal="INT").command == ("a",)
    assert updated(plain, init=True) == booted
    assert updated(plain, init=True, stop_signal="INT").stop_signal == 2


@pytest.mark.parametrize("options", [{"init": True}, {"init": False, "command": ["sleep", "9"]}])
def test_same_value_of_init_again_keeps_the_other_options(options):
    old = updated(None, **NEW, **options, stop_signal="HUP")
    assert updated(old, init=options["init"]) == old


def test_command_of_a_container_that_boots_an_init_is_refused():
    booted = updated(None, **NEW, init=True)
    with pytest.raises(InvalidInput, match=r"^web boots an init .*, and command is given. Set init: false to run a"):
        updated(booted, command=["sleep", "9"])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("labels", {"a": "x\0y"}),
        ("labels", {"a": "\ud800"}),
        ("env", {"A": "\ud800"}),
        ("command", ["\ud800"]),
        ("seccomp", "/\ud800"),
        ("mounts", [{"source": "/\ud800", "target": "/srv"}]),
        ("shm_size", "5000000t"),
        ("memory", "8388608t"),
        ("mounts", [{"type": "tmpfs", "target": "/srv", "size": "8388608t"}]),
        ("stop_timeout", 2147483647.5),
    ],
)
def test_value_that_cannot_be_stored_is_refused(option, value):
    with pytest.raises(InvalidInput, match=rf"^{option}"):
        updated(None, **NEW, **{option: value})


def test_largest_values_are_stored_and_read_again():
    largest = {
        "memory": f"{(1 << 63) - 1}",
        "memory_swap": "unlimited",
        "shm_size": f"{1 << 62}",
        "pids": (1 << 31) - 1,
    }
    spec = updated(None, **NEW, **largest, stop_timeout=float((1 << 31) - 1), cpus=0.01)
    assert ContainerSpec.from_json(json.loads(json.dumps(spec.to_json())), "container.json") == spec


@pytest.mark.parametrize("cpus", [0.000004, 0.001, 0.0099])
def test_cpu_limit_below_that_of_the_kernel_is_refused(cpus):
    with pytest.raises(InvalidInput, match=r"^cpus: .* is less than 0\.01, .*Set more, or 0 for no limit"):
        parse_changes({**NEW, "cpus": cpus})


@pytest.mark.parametrize("name", ["a\0", "\ud800", "\u00e4" * 8])
def test_uplink_that_no_interface_can_have_is_refused(name):
    with pytest.raises(InvalidInput, match=r"^uplink: "):
        parse_uplink(name)
