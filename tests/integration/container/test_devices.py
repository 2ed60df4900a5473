"""Devices that a container can use, with the devices controller of version 1 and the BPF program of version 2."""

import pathlib

import pytest
from waiting import until

WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"]}
# With these, nodes in /dev can be created, so that only the cgroup prevents opening them.
MAKER = {"userns": "host", "capabilities": {"add": ["MKNOD"]}}
V1 = "/sys/fs/cgroup/devices"
REFUSED = "Operation not permitted"


@pytest.fixture(params=["version 1", "version 2"] if pathlib.Path(V1).exists() else ["version 2"])
def host(host, request):
    """A host with the devices controller of version 1, and one without it, which uses the BPF program of version 2."""
    hidden = request.param == "version 2" and pathlib.Path(V1).exists()
    if hidden:
        host.run("umount", V1)
    yield host
    if hidden:
        host.run("mount", "-t", "cgroup", "-o", "devices", "cgroup", V1)


def start(host, **params):
    return host.module("conductor_container", **{**WEB, **params})["container"]


def inside(host, cmd, **params):
    return host.module("conductor_exec", container="web", argv=["/bin/sh", "-c", cmd], **params)["stdout"]


def opens(host, path, how="<"):
    """Whether a process inside can open `path`, or the error."""
    return inside(host, f"( : {how}{path} ) 2>&1 && echo yes || true").rpartition(": ")[2]


def test_standard_devices_and_terminals_can_be_used(host):
    start(host)
    for path in "null zero full random urandom net/tun ptmx".split():
        assert opens(host, f"/dev/{path}", "<>") == "yes", path
    assert inside(host, "python3 -c 'import os, pty; a, b = pty.openpty(); os.write(b, b\"x\"); print(os.read(a, 1))'")


def test_no_other_device_can_be_used_even_where_its_node_can_be_made(host):
    start(host, **MAKER)
    numbers = host.run("stat", "-c", "c %Hr %Lr", "/dev/loop-control").stdout.strip()
    inside(host, f"mknod /dev/loop {numbers}; mknod /dev/disk b 7 0; mknod /dev/memory c 1 1")
    for path in ("/dev/loop", "/dev/disk", "/dev/memory"):
        assert opens(host, path) == REFUSED, path
    assert opens(host, "/dev/null", ">") == "yes"


def test_privileged_and_the_hosts_dev_allow_all(host):
    start(host, userns="host", privileged=True)
    numbers = host.run("stat", "-c", "c %Hr %Lr", "/dev/loop-control").stdout.strip()
    inside(host, f"mknod /dev/loop {numbers}")
    assert opens(host, "/dev/loop") == "yes"
    host.module("conductor_container", name="web", state="absent")
    start(host, userns="host", dev="host")
    assert opens(host, "/dev/loop-control") == "yes"


def test_devices_belong_to_root_inside_and_allow_their_access(host):
    facts = start(host, devices=["/dev/fuse", "/dev/loop-control:/dev/deep/in/loop:r"])
    assert facts["devices"] == ["/dev/loop-control:/dev/deep/in/loop:r", "/dev/fuse:/dev/fuse:rwm"]
    assert [opens(host, "/dev/fuse", how) for how in ("<", ">", "<>")] == ["yes"] * 3
    assert [opens(host, "/dev/deep/in/loop", how) for how in ("<", ">", "<>")] == ["yes", REFUSED, REFUSED]
    mode = host.run("stat", "-c", "%a %Hr %Lr", "/dev/fuse").stdout.strip()
    assert inside(host, "stat -c '%u:%g %a %Hr %Lr' /dev/fuse") == f"0:0 {mode}"
    assert inside(host, "stat -c %u:%g /dev/deep/in") == "0:0"
    assert not host.module("conductor_container", **WEB, devices=facts["devices"])["changed"]


def test_a_link_to_a_device_is_followed_and_the_node_is_no_link(host):
    host.run("ln", "-s", "/dev/fuse", "/run/by-id")
    start(host, devices=["/run/by-id:/dev/filesystem"])
    assert opens(host, "/dev/filesystem", "<>") == "yes" and inside(host, "stat -c %F /dev/filesystem") == (
        "character special file"
    )
    host.run("rm", "/run/by-id")


def test_a_device_that_is_mounted_can_be_used_and_read_only_is_meant_so(host):
    mounts = [
        {"source": "/dev/loop-control", "target": "/srv/loop"},
        {"source": "/dev/fuse", "target": "/srv/fuse", "read_only": True},
    ]
    start(host, userns="host", mounts=mounts)
    assert opens(host, "/srv/loop", "<>") == "yes"
    assert [opens(host, "/srv/fuse", how) for how in ("<", "<>")] == ["yes", REFUSED]


def test_devices_are_limited_again_after_a_restart_by_policy(host):
    facts = start(host, devices=["/dev/fuse"], restart_policy="always", **MAKER)
    host.run("kill", "-9", str(facts["pid"]))
    until(
        lambda: (
            (f := host.module("conductor_container_info", name=["web"])["containers"][0])["restarts"] == 1
            and f["state"] == "running"
        ),
        "it runs again",
    )
    inside(host, "mknod /dev/memory c 1 1")
    assert opens(host, "/dev/memory") == REFUSED and opens(host, "/dev/fuse") == "yes"


def test_device_rules_of_a_killed_container_do_not_affect_the_next_start(host):
    """Its cgroup still exists, with its device rules."""

    def killed():
        for process in (facts["supervisor"], facts["pid"]):
            host.run("kill", "-9", str(process))
        until(lambda: host.run("test", "-d", f"/proc/{facts['pid']}", check=False).returncode, "it has ended")

    def started(**params):
        found = start(host, **MAKER, **params)
        parent = host.run("sh", "-c", f"grep PPid /proc/{found['pid']}/status").stdout.split()[1]
        inside(host, "mknod /dev/memory c 10 237")
        return {**found, "supervisor": parent}

    facts = started()
    assert opens(host, "/dev/memory") == REFUSED
    killed()
    facts = started(privileged=True)
    assert opens(host, "/dev/memory") == "yes"
    killed()
    facts = started(privileged=False, devices=["/dev/fuse"])
    assert opens(host, "/dev/memory") == REFUSED and opens(host, "/dev/fuse") == "yes"
    killed()
    facts = started(devices=[])
    inside(host, "mknod /dev/fuse c 10 229")
    assert opens(host, "/dev/fuse") == REFUSED


def test_systemd_as_the_first_process_boots_under_it(host):
    ready = ["/bin/sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'"]
    host.module("conductor_container", name="web", image="debian", init=True, wait=ready, wait_timeout=60)
    assert inside(host, "ps -o comm= 1") == "systemd" and opens(host, "/dev/null", "<>") == "yes"
