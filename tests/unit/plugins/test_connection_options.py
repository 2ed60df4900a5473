"""The connection plugin's options match its documentation, also if derived from those of ssh."""

import json
import subprocess

import pytest
from ansible_core import PYTHON

pytestmark = pytest.mark.core

COLLECTION = "conductor.containers"
NAME = f"{COLLECTION}.conductor"
PROGRAM = f"""
import json, sys
from ansible import constants as C
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader, init_plugin_loader
init_plugin_loader()
if "preloaded" in sys.argv:
    list(connection_loader.all(class_only=True))
plugin = connection_loader.get("{NAME}", PlayContext())
plugin.set_options(var_options={{"inventory_hostname": "web", "ansible_host": "alpha", "ansible_user": "deploy"}})
definitions = C.config.get_configuration_definitions("connection", plugin._load_name)
values = {{name: plugin.get_option(name) for name in definitions}}
documentation = plugin.__module__.replace("connection.conductor", "doc_fragments.managed_host") in sys.modules
print(json.dumps([values, definitions, documentation]))
"""
# Of no meaning but in documentation; with the releases of ansible-core and the text of its options.
TEXT = ("description", "version_added", "version_added_collection")


def ask(*arguments):
    process = subprocess.run([PYTHON, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
    values, definitions, documentation = json.loads(process.stdout)
    return values, bare(definitions), documentation


def bare(part):
    if isinstance(part, list):
        return [bare(each) for each in part]
    if isinstance(part, dict):
        return {key: bare(value) for key, value in part.items() if key not in TEXT}
    return part


def test_options_are_the_same_if_derived_from_ssh():
    values, definitions, documentation = ask()
    assert ask("preloaded") == (values, definitions, not documentation)
    assert documentation
    assert (values["container"], values["host"], values["remote_user"], values["host_user"]) == (
        "web", "alpha", "root", "deploy",
    )  # fmt: skip


@pytest.mark.parametrize("loader, name", [("inventory", NAME), ("action", f"{COLLECTION}.conductor_target")])
def test_plugin_is_loaded_before_ansible_forks(loader, name):
    """It loads the class of an inventory plugin and of a task's action in its own process (plugins/strategy)."""
    program = f"""
import sys
from ansible.plugins.loader import {loader}_loader, init_plugin_loader
init_plugin_loader()
assert {loader}_loader.get("{name}", class_only=True)
print("ansible_collections.{COLLECTION}.plugins.connection.conductor" in sys.modules)
"""
    done = subprocess.run([PYTHON, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
