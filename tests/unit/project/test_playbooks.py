"""The playbooks of the collection, without a managed host."""

import json
import os
import re
import subprocess

import pytest
from ansible_core import BIN

PLAIN = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml", "LC_ALL": "C.UTF-8"}
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
