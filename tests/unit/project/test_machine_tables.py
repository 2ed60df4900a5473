"""The tables of docs/machine.md have what the tests try."""

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "machine.md").read_text()


@pytest.fixture
def support(monkeypatch):
    """Imports a module of the support of the integration tests."""
    for path in ("tests/integration/support", "tests/integration"):
        monkeypatch.syspath_prepend(ROOT / path)
    yield importlib.import_module
    for name in ("probe_units", "probe_services", "public_roles"):
        sys.modules.pop(name, None)


def rows(heading):
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"][
        2:
    ]


def assigned(path, name):
    """Return the value of a variable of a file that is not imported."""
    tree = ast.parse((ROOT / path).read_text())
    assignments = (node for node in ast.walk(tree) if isinstance(node, ast.Assign))
    return next(ast.literal_eval(node.value) for node in assignments if ast.unparse(node.targets[0]) == name)


def test_table_of_modules():
    expected = assigned("tests/vm/test_modules_as_on_a_machine.py", "EXPECTED")
    assert [cells[0] for cells in rows("Modules, task by task")] == list(expected)
    tasks = yaml.safe_load((ROOT / "tests/integration/support/modules.yml").read_text())
    assert set(expected) <= {task["name"] for task in tasks} and f"the same {len(tasks)} tasks" in PAGE


def test_table_of_units(support):
    units = support("probe_units").UNITS
    assert [cells[0] for cells in rows("Units")] == list(units)
    start = [name for name, files in units.items() if files.get("service", "").endswith("-ec 'true'\n")]
    assert start and f"its effect: {', '.join(start)}.\n" in PAGE


def test_table_of_daemons(support):
    expected = [
        [package, f"`{re.sub('{.*?}', 'VERSION', unit)}`"]
        for unit, (package, _) in support("probe_services").SERVICES.items()
    ]
    assert rows("Daemons") == expected


def test_table_of_public_roles(support):
    public_roles = support("public_roles")
    assert [cells[0] for cells in rows("Public roles")] == list(public_roles.ROLES)
    columns = ("bookworm", "container"), ("trixie", "container"), ("trixie", "machine")
    not_passed = {
        (role, *column)
        for role, *cells in rows("Public roles")
        for column, cell in zip(columns, cells)
        if not cell.startswith("passed")
    }
    assert set(public_roles.EXPECTED) == not_passed
