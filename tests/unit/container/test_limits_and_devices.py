"""Resource limits and devices: options, and their form on disk."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.kernel_files import MASKED, per_cpu_paths
from ansible_collections.conductor.containers.plugins.module_utils._container.limits import cpu_warnings
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.devices import Device, parse_devices
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.merge import merge, parse_changes
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.ulimits import (
    NAMES,
    Ulimit,
    parse_ulimits,
    smaller_limit,
)
from ansible_collections.conductor.containers.plugins.module_utils._errors import Damaged, InvalidInput
from hypothesis import given
from hypothesis import strategies as st

NEW = {"name": "web", "image": "debian"}
limits = st.integers(-1, 2**63 - 1)


@given(st.sampled_from(sorted(NAMES)), limits, limits)
def test_a_limit_is_read_as_it_is_written(name, one, other):
    limit = Ulimit(name, smaller_limit(one, other), other)
    assert Ulimit.parse(str(limit), "ulimits") == limit


def test_more_cpus_than_the_host_has_are_a_warning():
    assert cpu_warnings("web", 0) == [] == cpu_warnings("web", 0.5)
    (warning,) = cpu_warnings("web", 100000)
    assert "container web: cpus: 100000 has no effect" in warning


@given(limits, limits)
def test_at_most_returns_the_smaller_limit(one, other):
    assert smaller_limit(one, other) == smaller_limit(other, one) in (one, other)
    assert smaller_limit(-1, one) == one


def test_limits_are_in_one_order_and_unlimited_has_two_names():
    parsed = parse_ulimits(["nofile:1024:4096", "core:-1", " CPU:60 "], "ulimits")
    assert [str(limit) for limit in parsed] == ["core:unlimited:unlimited", "cpu:60:60", "nofile:1024:4096"]


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("/dev/fuse", Device("/dev/fuse", "/dev/fuse", "rwm")),
        ("/dev/fuse:rw", Device("/dev/fuse", "/dev/fuse", "rw")),
        ("/dev/sda:/dev/disk/data", Device("/dev/sda", "/dev/disk/data", "rwm")),
        ("/dev/sda:/dev/xvda:mr", Device("/dev/sda", "/dev/xvda", "rm")),
        ("/srv/odd:/dev/odd:w", Device("/srv/odd", "/dev/odd", "w")),
        (
            "/dev/disk/by-path/pci-0000:00:1f.2-ata-1:/dev/xvda",
            Device("/dev/disk/by-path/pci-0000:00:1f.2-ata-1", "/dev/xvda", "rwm"),
        ),
    ],
)
def test_a_device_is_read_as_docker_and_podman_read_it(text, device):
    assert Device.parse(text, "devices") == device
    assert Device.parse(str(device), "devices") == device


@pytest.mark.parametrize(
    "targets",
    [["/dev/null"], ["/dev/net"], ["/dev/pts/0"], ["/dev/shm"], ["/dev/stdin"], ["/dev/ptmx"], ["/dev/zero/x"],
     ["/dev/a", "/dev/a"], ["/dev/a/b", "/dev/a"], ["/dev/a", "/dev/a-b", "/dev/a/b"]],
)  # fmt: skip
def test_devices_do_not_hide_each_other_or_what_each_container_has(targets):
    with pytest.raises(InvalidInput, match="clashes with"):
        parse_devices([f"/dev/fuse:{target}" for target in targets], "devices")


def test_devices_that_each_container_has_may_be_listed():
    assert parse_devices(["/dev/net/tun:/dev/net/tun", "/dev/null:r"], "devices") == ()
    assert parse_devices(["/dev/net/tun:/dev/tun"], "devices") == (Device("/dev/net/tun", "/dev/tun", "rwm"),)


def test_spec_returns_devices_and_ulimits_as_given():
    options = {**NEW, "devices": ["/dev/fuse:/dev/fuse:rw"], "ulimits": ["core:1:unlimited"], "oom_score_adj": -5}
    spec = merge(None, parse_changes(options))
    written = spec.to_json()
    assert {name: written[name] for name in options} == options
    assert ContainerSpec.from_json({**written, "mounts": []}, "x") == spec
    with pytest.raises(Damaged):
        ContainerSpec.from_json({**written, "ulimits": ["nonsense"]}, "container.json")


def test_devices_and_dev_host_are_mutually_exclusive_across_runs():
    old = merge(None, parse_changes({**NEW, "devices": ["/dev/fuse"]}))
    with pytest.raises(InvalidInput, match="are mutually exclusive"):
        merge(old, parse_changes({"name": "web", "dev": "host"}))
    assert merge(old, parse_changes({"name": "web", "dev": "host", "devices": []})).dev == "host"


def test_thermal_throttle_of_each_cpu_is_masked(tmp_path):
    import os

    for name in ("cpu0", "cpu11", "cpufreq", "online"):
        (tmp_path / "sys/devices/system/cpu" / name).mkdir(parents=True)
    root_fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    try:
        assert sorted(per_cpu_paths(root_fd)) == [
            f"/sys/devices/system/cpu/cpu{number}/thermal_throttle" for number in (0, 11)
        ]
    finally:
        os.close(root_fd)
    assert len(set(MASKED)) == len(MASKED)
