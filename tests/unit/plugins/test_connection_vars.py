"""Variables for the connection to a container's host."""

import json
import subprocess

import pytest
from ansible_core import PYTHON

pytestmark = pytest.mark.core

HOST = {"ansible_host": "a.example.com", "ansible_port": 2222, "ansible_become_password": "out side", "other": 1}
# The last words of variables of become.
KEYS = ("user", "pass", "exe", "flags")
# Ansible's own loader of collections has to be in place.
PROGRAM = """
import json, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
from ansible_collections.conductor.containers.plugins.plugin_utils.connection_vars import host_connection_vars
print(json.dumps(host_connection_vars("alpha", json.loads(sys.argv[1]), {}, by_value=sys.argv[2] == "by value")))
"""


def host_connection_vars(variables, how="by name"):
    done = subprocess.run(
        [PYTHON, "-c", PROGRAM, json.dumps(variables), how], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_variables_refer_to_the_inventory():
    way = host_connection_vars(HOST)
    assert way["conductor_host"] == "{{ hostvars['alpha']['ansible_host'] }}"
    assert way["ansible_port"] == "{{ hostvars['alpha']['ansible_port'] }}"
    assert way["conductor_host_become_password"] == "{{ hostvars['alpha']['ansible_become_password'] }}"
    assert "other" not in way


def test_variables_can_be_copied_by_value():
    way = host_connection_vars(HOST, "by value")
    assert (way["conductor_host"], way["ansible_port"]) == ("a.example.com", 2222)
    assert way["conductor_host_become_password"] == "out side"


def test_host_without_variables_is_reached_by_name_or_is_local():
    assert host_connection_vars({}) == {"conductor_host": "alpha"}
    assert host_connection_vars({"ansible_connection": "local"})["conductor_host"] == "localhost"


def test_aliases_of_core_have_its_precedence():
    way = host_connection_vars({"ansible_host": "a.example.com", "ansible_ssh_host": "b.example.com"}, "by value")
    assert way["conductor_host"] == "b.example.com"
    become = {f"ansible_{name}_{key}": f"{name} {key}" for name in ("become", "sudo", "su") for key in KEYS}
    for method, used in ((None, "sudo"), ("ansible.builtin.su", "su"), ("doas", "become")):
        way = host_connection_vars({**become, **({"ansible_become_method": method} if method else {})}, "by value")
        found = [way[f"conductor_host_become_{key.replace('pass', 'password')}"] for key in KEYS]
        assert found == [f"{used} {key}" for key in KEYS]
