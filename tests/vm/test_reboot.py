"""The host boots anew: containers with autostart are back, and the playbook brings the others back with their data."""

import re
import time

import pytest
from outside import server_outside

UPPER = "/var/lib/conductor/containers/{}/upper/srv"
WEB = ("http://127.0.0.1:8080/", "http://[::1]:8080/")


@pytest.fixture(scope="module", params=["reboot", "cut_power"])
def reboot(deployed, request):
    """The machine has run containers, and has been booted anew since, by the function of this name."""
    deployed.role("host")
    deployed.deploy("residents")
    deployed.inside("web", "/bin/sh", "-c", "echo kept > /srv/data; sync /srv/data")
    # A power cut loses what is not written yet.
    deployed.inside("lonely", "/bin/sh", "-c", "rm -f /srv/asked; sync /srv")
    with server_outside() as url:
        calls = f"rm -f /srv/answers; echo http://backend:8000/ {url} > /srv/urls; sync /srv/urls /srv"
        deployed.inside("web", "/bin/sh", "-c", calls)
        getattr(deployed, request.param)()
    yield request.param
    deployed.module("conductor_stack", name="residents", state="absent")
    # For the tests that follow, also where the one that deploys was left out.
    if {one["state"] for one in deployed.containers().values()} != {"running"}:
        deployed.deploy()


def test_container_with_autostart_answers_without_ansible(reboot, deployed):
    # Waits for the start of the service, which is one job (systemctl(1)).
    deployed.host.check_output("systemctl start conductor.service")
    deadline = time.monotonic() + 60
    while "refused" in (said := deployed.calls(*WEB)) and time.monotonic() < deadline:
        time.sleep(1)
    assert [one.split()[0] for one in said] == ["web", "web"]


def test_the_playbook_changes_nothing_where_all_containers_have_autostart(reboot, deployed):
    deployed.host.check_output("systemctl start conductor.service")
    first = deployed.deploy("residents")
    assert re.search(r"changed=0 .*failed=0 ", first), f"the first run after the boot changes nothing:\n{first}"
    assert deployed.calls("http://127.0.0.1:8081/")[0].startswith("front ")
    assert deployed.calls_inside("front", "http://store:8000/")[0].startswith("store ")


def test_containers_without_autostart_stay_down_after_a_reboot(reboot, deployed):
    found = deployed.containers()
    assert found.keys() == {"backend", "web", "lonely", "system", "store", "front"}
    assert {found.pop(name)["state"] for name in ("web", "store", "front")} == {"running"}
    # "created" where it has never ended as far as the host knows.
    assert {one["state"] for one in found.values()} <= {"stopped", "created"}
    assert not deployed.module("conductor_network", state="reconciled")["changed"]


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
    again = deployed.deploy()
    assert re.search(r"changed=0 .*failed=0 ", again), f"a second run changes nothing:\n{again}"


def test_containers_do_not_hold_up_a_reboot(reboot, deployed):
    if reboot == "reboot":
        # systemd says if it did not end in time, and was killed.
        said = deployed.host.check_output("journalctl --boot=-1 --unit=conductor.service --output=cat").splitlines()
        assert [line for line in said if line.startswith("Stopped conductor.service")]
        assert not [line for line in said if "timed out" in line or "Killing" in line]


def test_containers_are_asked_to_stop_where_the_machine_shuts_down_in_order(reboot, deployed):
    witness = deployed.host.file(f"{UPPER.format('lonely')}/asked")
    assert witness.exists == (reboot == "reboot")


def test_container_reaches_its_peer_and_the_gateway_of_the_host_while_it_is_stopped(reboot, deployed):
    """The service stops web before backend, and both before the network of the host ends."""
    answers = deployed.host.file(f"{UPPER.format('web')}/answers")
    assert answers.exists == (reboot == "reboot")
    if answers.exists:
        assert [answer.split()[0] for answer in answers.content_string.splitlines()] == ["backend", "outside"]
