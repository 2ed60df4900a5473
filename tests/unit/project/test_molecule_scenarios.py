"""The scenarios of molecule in the repository, as molecule reads them."""

from pathlib import Path

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._cli.parser import parse
from molecule.config import Config

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["containers", "machines"])
def driver(request, tmp_path, monkeypatch):
    monkeypatch.setenv("MOLECULE_EPHEMERAL_DIRECTORY", str(tmp_path))
    return Config(str(ROOT / f"molecule/{request.param}/molecule.yml")).driver


def test_login_runs_the_host_command(driver):
    # As molecule.command.login does. Without an instance config the driver reads the inventory, which has no address.
    program, *arguments = driver.login_cmd_template.format(instance="web", columns="80", lines="24").split()
    assert program == "conductor"
    parsed = parse(arguments)
    assert (parsed.verb, parsed.name) == ("exec", "web")


def test_documentation_has_the_login_command_of_the_scenarios(driver):
    text = (ROOT / "docs/machine.md").read_text()
    assert f"login_cmd_template: {driver.login_cmd_template}\n" in text
