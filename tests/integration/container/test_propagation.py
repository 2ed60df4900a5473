"""Bind mounts with propagation: what the host mounts below their source after the start of the container."""

import pytest

WEB = {"name": "web", "image": "debian", "command": ["/bin/sleep", "infinity"]}
DATA = {"source": "/run/data", "target": "/data"}


@pytest.fixture
def data(host):
    """A directory of the host with a shared mount, in which it mounts and unmounts others."""
    host.run("sh", "-ec", "mkdir /run/data && mount -t tmpfs data /run/data && mount --make-shared /run/data")
    host.run("mkdir", "/run/data/disk")
    yield host
    host.module("conductor_container", name="web", state="absent")
    host.run("sh", "-ec", "umount --recursive /run/data && rmdir /run/data")


def mount_disk(host):
    host.run("sh", "-ec", "mount -t tmpfs -o mode=755 disk /run/data/disk && echo here >/run/data/disk/file")


def inside(host, *argv, **params):
    return host.module("conductor_exec", container="web", argv=list(argv), **params)


def has_disk(host):
    return inside(host, "sh", "-c", "test -e /data/disk/file && echo yes || echo no")["stdout"]


@pytest.mark.parametrize("init", [False, True])
def test_slave_shows_what_the_host_mounts_later(data, init):
    wanted = {"name": "web", "image": "debian", "init": True} if init else WEB
    data.module("conductor_container", **wanted, mounts=[{**DATA, "propagation": "slave"}])
    assert has_disk(data) == "no"
    mount_disk(data)
    assert has_disk(data) == "yes"
    data.run("umount", "/run/data/disk")
    assert has_disk(data) == "no"


def test_slave_shows_it_after_a_restart_of_the_container_too(data):
    mount_disk(data)
    data.module("conductor_container", **WEB, mounts=[{**DATA, "propagation": "slave"}])
    assert has_disk(data) == "yes"
    data.module("conductor_container", name="web", state="restarted")
    assert has_disk(data) == "yes"
    data.run("umount", "/run/data/disk")
    assert has_disk(data) == "no"


def test_private_is_the_default(data):
    data.module("conductor_container", **WEB, mounts=[DATA])
    mount_disk(data)
    assert has_disk(data) == "no"
    assert not data.module("conductor_container", **WEB, mounts=[{**DATA, "propagation": "private"}])["changed"]


def test_nothing_from_inside_reaches_the_host_by_slave(data):
    rights = {"userns": "host", "capabilities": {"add": ["SYS_ADMIN"]}}
    data.module("conductor_container", **WEB, **rights, mounts=[{**DATA, "propagation": "slave"}])
    inside(data, "mount", "-t", "tmpfs", "inside", "/data/disk")
    assert " inside " not in data.run("cat", "/proc/self/mountinfo").stdout
    assert inside(data, "stat", "-fc", "%T", "/data/disk")["stdout"] == "tmpfs"


def test_shared_shows_the_host_what_is_mounted_inside(data):
    rights = {"userns": "host", "capabilities": {"add": ["SYS_ADMIN"]}}
    data.module("conductor_container", **WEB, **rights, mounts=[{**DATA, "propagation": "shared"}])
    inside(data, "mount", "-t", "tmpfs", "inside", "/data/disk")
    assert "inside on /run/data/disk" in data.run("mount").stdout
    mount_points = data.run("cat", "/proc/self/mountinfo").stdout.count("\n")
    data.module("conductor_container", name="web", state="stopped")
    assert data.run("cat", "/proc/self/mountinfo").stdout.count("\n") <= mount_points, "nothing else was mounted"
    assert "data on /run/data" in data.run("mount").stdout, "and the host's own mount stays"
    data.run("umount", "/run/data/disk")


@pytest.mark.parametrize("check", [True, False])
def test_shared_requires_the_users_of_the_host(data, check):
    told = data.module(
        "conductor_container", **WEB, mounts=[{**DATA, "propagation": "shared"}], check=check, fails=True
    )
    assert "propagation shared of /data requires userns: host" in told["msg"]


@pytest.mark.parametrize("check", [True, False])
def test_a_private_mount_of_the_host_is_refused_before_any_change(host, check):
    host.run("sh", "-ec", "mkdir /run/data && mount -t tmpfs data /run/data && mount --make-private /run/data")
    mounts = [{**DATA, "propagation": "slave"}]
    told = host.module("conductor_container", **WEB, mounts=mounts, check=check, fails=True)["msg"]
    assert told == (
        "container web: mounts: propagation slave of /data: the host has /run/data in the mount /run/data, which is "
        "private. Run mount --make-rshared /run/data on the host, or leave out propagation."
    )
    assert host.run("ls", "/var/lib/conductor", check=False).stdout.split() == ["images"]
    host.run("sh", "-ec", "umount /run/data && rmdir /run/data")
