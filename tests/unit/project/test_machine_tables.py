"""The tables of docs/machine.md have what the tests try."""

import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "machine.md").read_text()


@pytest.fixture
def support(monkeypatch):
    """Imports a module of the support of the integration tests."""
    for path in ("tests/integration/support", "tests/integration"):
        monkeypatch.syspath_prepend(ROOT / path)
    yield importlib.import_module
    for name in ("probe_units", "probe_services"):
        sys.modules.pop(name, None)


def rows(heading):
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"][
        2:
    ]


def test_table_of_units(support):
    assert [cells[0] for cells in rows("Units")] == list(support("probe_units").UNITS)


def test_table_of_daemons(support):
    expected = [
        [package, f"`{re.sub('{.*?}', 'VERSION', unit)}`"]
        for unit, (package, _) in support("probe_services").SERVICES.items()
    ]
    assert rows("Daemons") == expected
