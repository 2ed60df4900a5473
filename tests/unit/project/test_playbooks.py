"""The playbooks of the collection, without a managed host."""

import json
import os
import re
import subprocess

import pytest
import yaml
from ansible_collections.conductor.containers.plugins.module_utils._engine.names import parse_name
from ansible_core import BIN, ROOT

PLAIN = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "LC_ALL": "C.UTF-8"}
STACK = "conductor.containers.conductor_stack"
# Each connection fails at once.
CONTAINER = {
    "ansible_connection": "conductor.containers.conductor",
    "conductor_host": "alpha.example",
    "ansible_ssh_executable": "/bin/false",
}


MANAGED_HOST = {"ansible_host": "alpha.example", "ansible_ssh_executable": "/bin/false"}


def playbook(directory, name, inventory, *options):
    """What ansible-playbook prints, on either stream."""
    (directory / "hosts.json").write_text(json.dumps({"all": {"hosts": inventory}}))
    return subprocess.run(
        [BIN / "ansible-playbook", "-i", "hosts.json", name, *options], cwd=directory, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        env={**os.environ, **PLAIN, "ANSIBLE_HOME": str(directory / "home")},
    ).stdout  # fmt: skip


@pytest.mark.parametrize("name", ["deploy", "status", "teardown"])
def test_playbook_runs_nothing_in_the_containers_of_the_inventory(tmp_path, name):
    stacks = json.dumps({"conductor_stacks": [{"name": "shop"}]})
    inventory = {"alpha": MANAGED_HOST, "web": CONTAINER}
    printed = playbook(tmp_path, f"conductor.containers.{name}", inventory, "-e", stacks)
    assert re.search("^alpha .*unreachable=1", printed, re.M) and "[web]" not in printed, printed


@pytest.fixture(scope="module")
def stack_names(tmp_path_factory):
    """The names of molecule's stacks by the directory of the scenario."""
    directory = tmp_path_factory.mktemp("molecule")
    inventory = {
        path: {
            "ansible_connection": "local",
            "molecule_yml": {"scenario": {"name": name}},
            "molecule_scenario_directory": path,
            # As with MOLECULE_EPHEMERAL_DIRECTORY.
            "molecule_instance_config": "/tmp/instance_config.yml",
        }
        for path, name in {"/srv/a": "default", "/srv/b": "default", "/srv/c": "extensions/" + "x." * 50}.items()
    }
    play = {"hosts": "all", "gather_facts": False, "vars_files": [str(ROOT / "playbooks/vars/molecule.yml")]}
    tasks = [{"ansible.builtin.debug": {"msg": "{{ inventory_hostname }}={{ __molecule_stack_name }}="}}]
    (directory / "play.yml").write_text(json.dumps([{**play, "tasks": tasks}]))
    printed = playbook(directory, "play.yml", inventory)
    return dict(re.findall("msg: (/srv/.)=(.*)=$", printed, re.M))


def test_scenarios_of_the_same_name_have_stacks_of_their_own(stack_names):
    assert stack_names["/srv/a"].startswith("molecule-default-")
    assert stack_names["/srv/a"] != stack_names["/srv/b"]


def test_name_of_any_scenario_is_valid_for_a_stack(stack_names):
    for name in stack_names.values():
        assert parse_name(name, "name") == name


@pytest.mark.parametrize("name", ["create", "destroy"])
def test_playbooks_for_molecule_use_the_same_stack(name):
    (play,) = yaml.safe_load((ROOT / f"playbooks/molecule_{name}.yml").read_text())
    (stack,) = (task[STACK]["name"] for task in play["tasks"] if STACK in task)
    assert stack == "{{ __molecule_stack_name }}" and play["vars_files"] == ["vars/molecule.yml"]
