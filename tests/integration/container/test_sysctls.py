"""Kernel settings of a container and the size of its /dev/shm: inside of it only, and known before a start."""

import pytest

WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"]}
SETTINGS = {
    "net.core.somaxconn": 77,
    "net.ipv4.ip_unprivileged_port_start": "0",
    "kernel.sem": "251 32000 32 129",
    "fs.mqueue.msg_max": "21",
}


def read(node, name):
    return node.run("cat", f"/proc/sys/{name.replace('.', '/')}").stdout.split()


def inside(host, *argv):
    return host.module("conductor_exec", container="web", argv=list(argv))["stdout"]


@pytest.mark.parametrize("userns", ["auto", "host"])
def test_settings_hold_inside_only(host, userns):
    before = {name: read(host, name) for name in SETTINGS}
    host.module("conductor_container", **WEB, userns=userns, sysctls=SETTINGS, shm_size="1m")
    for name, value in SETTINGS.items():
        assert inside(host, "cat", f"/proc/sys/{name.replace('.', '/')}").split() == str(value).split(), name
    assert {name: read(host, name) for name in SETTINGS} == before
    assert inside(host, "stat", "-f", "-c", "%b %S", "/dev/shm").split() == ["256", "4096"]
    again = host.module("conductor_container", **WEB, sysctls=SETTINGS, shm_size="1m")
    assert not again["changed"] and again["container"]["sysctls"]["net.core.somaxconn"] == "77"
    refused = host.module("conductor_container", **WEB, sysctls={}, fails=True)
    assert "web: sysctls cannot change while the container runs" in refused["msg"]
    host.module("conductor_container", **WEB, sysctls={}, restart=True)
    assert inside(host, "cat", "/proc/sys/net/core/somaxconn") != "77"


def test_setting_that_the_kernel_lacks_or_refuses_is_reported(host):
    refused = host.module("conductor_container", **WEB, sysctls={"net.ipv4.no_such": 1}, fails=True)
    assert "this kernel has no setting net.ipv4.no_such" in refused["msg"]
    refused = host.module("conductor_container", **WEB, sysctls={"net.ipv4.ip_forward": "x"}, fails=True)
    assert "sysctls: net.ipv4.ip_forward cannot be x: Invalid argument" in refused["msg"]
    # A setting of an interface that the container will have, and the host does not.
    host.module(
        "conductor_container", **WEB, network={}, sysctls={"net.ipv4.conf.eth0.rp_filter": 1, "net.core.somaxconn": 5}
    )
    assert inside(host, "cat", "/proc/sys/net/ipv4/conf/eth0/rp_filter") == "1"
