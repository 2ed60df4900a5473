"""The tasks of everyday roles have the same results in a container as on the machine. docs/machine.md has the rest."""

from pathlib import Path

import pytest
from machine_container import machine_container
from task_comparison import differences, environment, read_results

ROOT = Path(__file__).parents[2]
TASKS = ROOT / "tests/integration/support/modules.yml"

pytestmark = pytest.mark.public
# By task: why it differs. The table in docs/machine.md has them, too.
EXPECTED = {
    "kind of machine": "a container is no virtual machine",
    "AppArmor of the kernel": "it is that of the host",
    "root file system": "the root is an overlay of the image",
    "network interface": "the interface of a container is eth0",
    "kernel setting of the whole machine": "it is read-only inside: it is that of all containers and of the host",
}

MACHINECTL = [
    {"name": "packages", "ansible.builtin.apt": {"name": ["systemd-container", "acl"], "update_cache": True}},
    # With its id, since the machine has further users by now.
    {"name": "user", "ansible.builtin.user": {"name": "worker", "uid": 2100}},
    {
        "name": "become",
        "ansible.builtin.shell": "id -un; echo $HOME; tty </dev/tty >/dev/null && echo a terminal",
        "become": True,
        "become_user": "worker",
        "become_method": "community.general.machinectl",
    },
]


@pytest.mark.parametrize("way", ["local", "ssh"])
def test_each_task_has_the_result_that_it_has_on_the_machine(
    machine, results_of_the_machine, collections, tmp_path, way
):
    ours = tmp_path / "container"
    with machine_container(machine.suite, tmp_path, way) as (controller, on):
        controller.environment = {**collections, **environment(ours)}
        controller.patience = 1800
        printed = controller.playbook(TASKS.read_text(), on=on, check=False, gather_facts=False)
    found = differences(results_of_the_machine, ours)
    assert set(found) == set(EXPECTED), f"{found}\n{printed}"


def test_become_by_machinectl_opens_a_session_with_a_terminal(machine, collections, tmp_path):
    on_the_machine, inside = tmp_path / "machine", tmp_path / "container"
    # For ssh, which has no terminal otherwise.
    machine.play(on_the_machine, {**collections, "ANSIBLE_SSH_EXTRA_ARGS": "-tt"}, tasks=MACHINECTL)
    with machine_container(machine.suite, tmp_path) as (controller, on):
        controller.environment = {**collections, **environment(inside)}
        printed = controller.playbook(*MACHINECTL, on=on, check=False, gather_facts=True)
    assert differences(on_the_machine, inside) == {}, printed
    assert read_results(inside)[-1][1]["stdout"].split() == ["worker", "/home/worker", "a", "terminal"]


def test_the_machine_itself_has_no_failure(results_of_the_machine):
    failed = [task for task, result in read_results(results_of_the_machine) if result["status"] == "failed"]
    assert not failed
