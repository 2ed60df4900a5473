"""On a host with lxcfs, /proc and the facts inside show the limits of the container."""

import pytest
from controller import Controller
from waiting import until

BOX = {"name": "box", "image": "debian", "command": ["/bin/sleep", "infinity"], "memory": "200m"}
FILES = "cpuinfo diskstats loadavg meminfo stat swaps uptime".split()


@pytest.fixture
def with_lxcfs(host):
    """A host on which lxcfs runs."""
    server = host.popen("lxcfs", "-f", "/var/lib/lxcfs")
    until(lambda: host.run("test", "-e", "/var/lib/lxcfs/proc/meminfo", check=False).returncode == 0, "it runs")
    yield host
    host.module("conductor_container", name="box", state="absent")
    host.run("umount", "--lazy", "/var/lib/lxcfs")
    server.kill()
    server.wait()
    host.run("sh", "-c", "rm -rf /run/lxcfs*")


def inside(host, *argv, **options):
    return host.module("conductor_exec", container="box", argv=list(argv), **options)


def test_memory_is_that_of_the_container(with_lxcfs, tmp_path):
    host = with_lxcfs
    host.module("conductor_container", **BOX)
    assert inside(host, "grep", "MemTotal", "/proc/meminfo")["stdout"].split()[1] == str(200 << 10)
    for name in FILES:
        assert inside(host, "cat", f"/proc/{name}")["rc"] == 0, name
    assert float(inside(host, "cat", "/proc/uptime")["stdout"].split()[0]) < 600
    controller = Controller(tmp_path)
    controller.add("box")
    printed = controller.playbook(
        "- ansible.builtin.debug: {msg: 'has {{ ansible_facts.memtotal_mb }} MB'}", on=host, gather_facts=True
    )
    assert "has 200 MB" in printed


def test_a_container_starts_where_lxcfs_was_killed(with_lxcfs):
    host = with_lxcfs
    host.run("pkill", "-KILL", "lxcfs")
    host.module("conductor_container", **BOX)
    assert inside(host, "cat", "/proc/meminfo")["rc"] == 0
