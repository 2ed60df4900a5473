"""Kernel settings of a container: names that belong to its namespaces, and values."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.container import ContainerSpec
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.sysctls import (
    parse_sysctls,
    sysctl_path,
)
from ansible_collections.conductor.containers.plugins.module_utils._container.spec.values import parse_shm_size
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput


def test_settings_of_network_and_ipc_namespaces_are_accepted():
    given = {
        "net.core.somaxconn": 1024,
        "kernel.sem": "250 32000 32 128",
        "fs.mqueue.msg_max": "20",
        "net/ipv4/conf/eth0.100/forwarding": "1",
        "kernel/shmmax": "1",
    }
    assert dict(parse_sysctls(given, "sysctls")) == {name: str(value) for name, value in given.items()}
    assert sysctl_path("net.ipv4.ip_forward") == "net/ipv4/ip_forward"
    assert sysctl_path("net/ipv4/conf/eth0.100/forwarding") == "net/ipv4/conf/eth0.100/forwarding"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("vm.swappiness", "1", "vm.swappiness belongs to the whole host"),
        ("kernel.core_pattern", "|/x", "kernel.core_pattern belongs to the whole host"),
        ("kernel/hostname", "x", "kernel/hostname belongs to the whole host"),
        ("fs.file-max", "1", "fs.file-max belongs to the whole host"),
        ("network.x", "1", "network.x belongs to the whole host"),
        ("net.ipv4", None, "the value of net.ipv4 is neither a string nor a number"),
        ("net.core.x", True, "the value of net.core.x is neither a string nor a number"),
        ("net.core.x", "", "the value of net.core.x is empty"),
        ("net.core.x", "1\n", "the value of net.core.x is empty, too long or not printable"),
        ("net", "1", "'net' is not the name of a kernel setting"),
        ("net/../kernel/core_pattern", "1", "is not the name of a kernel setting"),
        ("net..core", "1", "is not the name of a kernel setting"),
        ("/net/core/x", "1", "is not the name of a kernel setting"),
        (1, "1", "1 is not the name of a kernel setting"),
    ],
)
def test_other_names_and_values_are_refused(name, value, told):
    with pytest.raises(InvalidInput) as caught:
        parse_sysctls({name: value}, "sysctls")
    assert told in str(caught.value)


def test_settings_and_size_return_from_container_json():
    spec = ContainerSpec("web", "debian", sysctls=(("net.core.somaxconn", "1"),), shm_size=1 << 20)
    assert ContainerSpec.from_json(spec.to_json(), "container.json") == spec
    assert ContainerSpec("web", "debian").shm_size == parse_shm_size("64m", "shm_size")
