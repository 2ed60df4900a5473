"""The host boots anew: nothing of containers is alive, their data is there, and the playbook brings them back."""

import re
from typing import NamedTuple

import pytest

# Each prints what is left, and nothing where nothing is.
TRACES = (
    "ls -A /run/conductor 2>/dev/null",
    "ls /run/netns 2>/dev/null | grep conductor-",
    "find /sys/fs/cgroup -name 'conductor*'",
    "grep /var/lib/conductor/ /proc/mounts",
    "ip -o link show | grep cdtr-",
    "nft list tables | grep conductor",
    "pgrep --list-full --full '^[^ ]*python3 .*/var/lib/conductor/'",
)
REBOOTS = {"in order": "systemctl reboot", "without warning": "sync; echo b > /proc/sysrq-trigger"}
WEB = ("http://127.0.0.1:8080/", "http://[::1]:8080/")


class Reboot(NamedTuple):
    how: str
    traces_before: list
    traces_after: list
    seconds_down: int  # from the command to the next kernel's first second


def traces(host):
    return [host.run(command).stdout for command in TRACES]


@pytest.fixture(scope="module", params=REBOOTS)
def reboot(deployed, request):
    """The machine has run containers, and has been booted anew since."""
    host = deployed.host
    deployed.inside("web", "/bin/sh", "-c", "echo kept > /srv/data")
    deployed.inside("lonely", "/bin/rm", "-f", "/srv/asked")
    before, begin = traces(host), int(host.check_output("date +%s"))
    deployed.reboots(REBOOTS[request.param])
    booted = int(host.check_output("grep btime /proc/stat").split()[1])
    yield Reboot(request.param, before, traces(host), booted - begin)
    # For the tests that follow, also where the one that deploys was left out.
    if {one["state"] for one in deployed.containers().values()} != {"running"}:
        deployed.deploy()


def test_nothing_of_a_container_is_alive_after_a_reboot(reboot, deployed):
    assert all(reboot.traces_before), "each of them finds something where containers run"
    assert not any(reboot.traces_after)
    found = deployed.containers()
    assert found.keys() == {"backend", "web", "lonely", "system"}
    # "created" where it has never ended as far as the host knows.
    assert {one["state"] for one in found.values()} <= {"stopped", "created"}
    assert {one["pid"] for one in found.values()} == {None}


def test_reconciled_connects_nothing_that_does_not_run(reboot, deployed):
    deployed.module("conductor_network", state="reconciled")
    assert not deployed.module("conductor_network", state="reconciled")["changed"]
    assert deployed.host.run("ip -o link show | grep cdtr-").stdout == ""


def test_the_playbook_brings_containers_back_with_their_data_and_networks(reboot, deployed):
    deployed.deploy()
    assert {one["state"] for one in deployed.containers().values()} == {"running"}
    assert deployed.inside("web", "/bin/cat", "/srv/data") == "kept"
    assert [said.split()[0] for said in deployed.calls(*WEB)] == ["web", "web"]
    assert deployed.calls_inside("web", "http://backend:8000/")[0].startswith("backend ")
    assert deployed.calls_inside("lonely", "http://backend:8000/") == ["refused"]
    assert deployed.host.file("/sys/fs/cgroup/conductor/backend/memory.max").content_string == f"{128 << 20}\n"
    assert deployed.host.check_output("ip -6 route show default proto ra"), "it forwards, and keeps what it learned"
    assert not deployed.module("conductor_network", state="reconciled")["changed"]
    assert re.search(r"changed=0 .*failed=0 ", deployed.deploy()), "a second run changes nothing"


def test_containers_do_not_hold_up_a_reboot(reboot):
    assert reboot.seconds_down < 60


def test_containers_are_asked_to_stop_where_the_machine_shuts_down_in_order(reboot, deployed):
    witness = deployed.host.file("/var/lib/conductor/containers/lonely/upper/srv/asked")
    assert witness.exists == (reboot.how == "in order")
