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


@pytest.mark.parametrize("userns", ["auto", "host"])
def test_users_may_ping_and_listen_on_low_ports(host, userns):
    """As in docker. A setting of the user's own is read by the ids inside."""
    host.module("conductor_container", **WEB, userns=userns)
    script = """
import socket
socket.socket(socket.AF_INET, socket.SOCK_STREAM).bind(("127.0.0.1", 80))
socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
"""
    argv = ["/usr/bin/python3", "-c", script]
    host.module("conductor_exec", container="web", argv=argv, user="nobody")
    allowed = {"net.ipv4.ping_group_range": "7 7", "net.ipv4.ip_unprivileged_port_start": "1024"}
    host.module("conductor_container", **WEB, userns=userns, sysctls=allowed, restart=True)
    assert inside(host, "cat", "/proc/sys/net/ipv4/ping_group_range").split() == ["7", "7"]
    assert host.module("conductor_exec", container="web", argv=argv, user="nobody", fails=True)["rc"] == 1
