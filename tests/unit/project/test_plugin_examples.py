"""The examples in the documentation of plugins are executed by tests, and are complete."""

import importlib.util

import pytest
from ansible_core import ROOT
from jinja2 import Environment, nodes
from plugin_examples import example_text, examples, plugins

TESTS = ["module/test_examples.py", "project/test_plugin_examples.py"]
# Functions of templates, and secrets that no example shows.
KNOWN = {"lookup", "token"}


def executed_by(path):
    """Plugins whose examples the tests in a file execute."""
    spec = importlib.util.spec_from_file_location("examples_of_plugins", ROOT / "tests/integration" / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.executes.plugins


def test_examples_of_every_plugin_are_executed_by_exactly_one_test():
    assert sorted(plugin for path in TESTS for plugin in executed_by(path)) == plugins()


def names(node, key):
    """Names that tasks define by `key`: one, or those of a dictionary."""
    if isinstance(node, list):
        return {name for child in node for name in names(child, key)}
    if isinstance(node, dict):
        own = [node[key]] if isinstance(node.get(key), str) else node.get(key, {})
        return {*own, *(name for child in node.values() for name in names(child, key))}
    return set()


def used(node):
    """Variables in the templates of tasks."""
    if isinstance(node, (list, dict)):
        return {name for child in (node.values() if isinstance(node, dict) else node) for name in used(child)}
    return {name.name for name in Environment().parse(str(node)).find_all(nodes.Name)}


@pytest.mark.parametrize("plugin", [plugin for plugin in plugins() if "- name: " in example_text(plugin)])
def test_variables_of_an_example_are_defined_in_it(plugin):
    tasks = examples(plugin)
    assert used(tasks) - names(tasks, "register") - names(tasks, "vars") - KNOWN == set()
