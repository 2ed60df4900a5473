"""One playbook over several hosts with several containers each."""

import pytest
from waiting import until

SLEEP = ["/bin/sleep", "infinity"]
CONTAINERS = ("alpha-web", "alpha-db", "beta-web", "beta-db")
WHERE = """
- ansible.builtin.command: hostname
  register: where
- ansible.builtin.assert: {that: "where.stdout == inventory_hostname.split('-')[1]"}
- ansible.builtin.copy: {content: "{{ inventory_hostname }}", dest: /root/of, mode: "0600"}
"""
UNTIL_TOLD = """
- ansible.builtin.raw: touch /run/begun; while [ ! -e /run/go-on ]; do sleep 0.1; done
- ansible.builtin.copy: {content: "{{ inventory_hostname }}", dest: /root/of, mode: "0600"}
"""


@pytest.fixture
def fleet(two_hosts):
    """The containers `web` and `db` on each of two hosts as targets."""
    for name, host in two_hosts.hosts.items():
        managed = two_hosts.let_in(host)
        for container in ("web", "db"):
            host.module("conductor_container", name=container, image="debian", command=SLEEP)
            two_hosts.add(f"{name}-{container}", container, ansible_user="root", **managed)
    return two_hosts


def file_of(fleet, target):
    """What the play has left in a container."""
    host, container = target.split("-")
    path = f"/var/lib/conductor/containers/{container}/rootfs/root/of"
    return fleet.hosts[host].run("cat", path, check=False).stdout


def recap(printed):
    return {line.split()[0]: line for line in printed.partition("PLAY RECAP")[2].splitlines() if " ok=" in line}


def test_four_containers_of_two_hosts_at_once(fleet):
    fleet.playbook(WHERE, options=["--forks", "4"])
    assert [file_of(fleet, target) for target in CONTAINERS] == list(CONTAINERS)
    again = recap(fleet.playbook(WHERE, options=["--forks", "4"], serial=1))
    assert list(again) == list(sorted(CONTAINERS)) and all("failed=0" in line for line in again.values())


def test_limit_selects_containers(fleet):
    fleet.playbook(WHERE, options=["--limit", "beta-*"])
    assert [file_of(fleet, target) for target in CONTAINERS] == ["", "", "beta-web", "beta-db"]


def test_lost_host_affects_only_its_own_containers(fleet):
    """Gone while a task runs on all four."""
    fleet.write_play(UNTIL_TOLD)
    running = fleet.start("ansible-playbook", "play.yml", "--forks", "4")
    for name, host in fleet.hosts.items():
        listing = [f"/var/lib/conductor/containers/{container}/rootfs/run" for container in ("web", "db")]
        until(lambda: host.run("ls", *listing).stdout.count("begun") == 2, f"both run on {name}", 60)  # noqa: B023
    fleet.hosts["beta"].close()
    for container in ("web", "db"):
        fleet.hosts["alpha"].run("touch", f"/var/lib/conductor/containers/{container}/rootfs/run/go-on")
    printed, _ = running.communicate(timeout=120)
    lines = recap(printed)
    assert all("unreachable=0" in lines[name] and "failed=0" in lines[name] for name in CONTAINERS[:2]), printed
    assert all("unreachable=1" in lines[name] for name in CONTAINERS[2:]), printed
    assert [file_of(fleet, target) for target in CONTAINERS[:2]] == list(CONTAINERS[:2])
