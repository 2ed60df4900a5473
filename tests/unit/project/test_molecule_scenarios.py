"""The scenarios of molecule in the repository."""

import pytest
import yaml
from ansible_collections.conductor.containers.plugins.module_utils._cli.parser import parse
from ansible_core import ROOT


@pytest.fixture(params=["containers", "machines"])
def login_command(request):
    # Not by molecule's own Config: molecule changes the environment when it is imported.
    settings = yaml.safe_load((ROOT / f"molecule/{request.param}/molecule.yml").read_text())
    return settings["driver"]["options"]["login_cmd_template"]


def test_login_runs_the_host_command(login_command):
    program, *arguments = login_command.format(instance="web", columns="80", lines="24").split()
    assert program == "conductor"
    parsed = parse(arguments)
    assert (parsed.verb, parsed.name) == ("exec", "web")


def test_documentation_has_the_login_command_of_the_scenarios(login_command):
    assert f"login_cmd_template: {login_command}\n" in (ROOT / "docs/machine.md").read_text()
