"""The documentation of modules says what their code does."""

import json
import re
import subprocess

import pytest
import yaml
from ansible_core import BIN, ROOT

MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("conductor_*.py"))


def part(module: str, name: str) -> dict:
    text = (ROOT / f"plugins/modules/{module}.py").read_text()
    return yaml.safe_load(re.search(rf'^{name} = r"""(.*?)"""', text, re.S | re.M)[1])


@pytest.mark.parametrize("module", MODULES)
def test_no_value_is_returned_always(module):
    """Each module can refuse its options, and then returns the message only."""
    returned = {name: value["returned"] for name, value in part(module, "RETURN").items()}
    assert {name: when for name, when in returned.items() if not when.startswith(("success", "if "))} == {}


def test_info_modules_have_no_diff():
    names = [f"conductor.containers.{module}" for module in MODULES]
    printed = subprocess.run([BIN / "ansible-doc", "--json", *names], capture_output=True, text=True, check=True).stdout
    support = {name: found["doc"]["attributes"]["diff_mode"]["support"] for name, found in json.loads(printed).items()}
    assert {name for name, one in support.items() if one == "N/A"} == {n for n in names if n.endswith("_info")}


@pytest.mark.parametrize("module", MODULES)
def test_module_that_acts_in_each_run_is_not_fully_idempotent(module):
    found = part(module, "DOCUMENTATION")
    if "each time" in str(found["options"].get("state")):
        assert found["attributes"]["idempotent"]["support"] == "partial"


def test_command_has_no_diff():
    assert part("conductor_exec", "DOCUMENTATION")["attributes"]["diff_mode"]["support"] == "none"
