"""Public roles have their expected outcomes in a container and on the machine. docs/machine.md has the table."""

import concurrent.futures

import pytest
from machine_container import machine_container
from public_roles import ROLES, outcome, problems, tasks_of
from task_comparison import environment

pytestmark = pytest.mark.public


def play_in_a_container(suite, role, variables, directory, results):
    with machine_container(suite, directory, **ROLES[role].options) as (controller, on):
        controller.environment = {**variables, **environment(results)}
        controller.patience = 1800
        return controller.playbook(*tasks_of(role), on=on, check=False, gather_facts=True)


@pytest.mark.parametrize("role", ROLES)
def test_role_has_its_expected_outcome_in_a_container_and_on_the_machine(machine, role, public_roles, tmp_path):
    on_the_machine, inside = tmp_path / "machine", tmp_path / "container"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        printed = pool.submit(play_in_a_container, machine.suite, role, public_roles, tmp_path, inside)
        machine.play(on_the_machine, public_roles, tasks=tasks_of(role))
    found = {"machine": outcome(on_the_machine), "container": outcome(inside)}
    print(role, found)
    assert problems(role, machine.suite, found) == [], printed.result()
