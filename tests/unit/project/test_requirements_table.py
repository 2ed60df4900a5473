"""docs/requirements.md, docs/security.md and docs/faults.md name tests that exist, in every row, for every fault."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
TABLE = (ROOT / "docs" / "requirements.md").read_text()
SECURITY = (ROOT / "docs" / "security.md").read_text()
FAULTS = (ROOT / "docs" / "faults.md").read_text()
PROMISES = SECURITY.partition("## Promises")[2].partition("## Limits")[0]
ROWS = [
    line
    for line in TABLE.splitlines() + PROMISES.splitlines()
    if line.startswith("| ") and not re.match(r"\| (In the|Request|Attack|#|Promise) ", line)
]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def names_in(path: str) -> set[str]:
    """Names of the test functions in a file. Empty if the file does not exist."""
    file = ROOT / path
    body = ast.parse(file.read_text()).body if file.is_file() else []
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_exists():
    named = TEST.findall(TABLE + SECURITY + FAULTS)
    missing = [f"{path}::{name}" for path, name in named if name not in names_in(path)]
    assert not missing


def test_every_row_names_a_test():
    assert ROWS
    assert not [row for row in ROWS if not TEST.search(row.rsplit(" | ", 1)[1])]
    faults = [line.split(" | ") for line in FAULTS.splitlines() if re.match(r"\| [A-E]\b|\| [A-E]\d", line)]
    assert faults
    assert not [columns for columns in faults if not TEST.search(columns[2])]


def test_each_of_the_18_faults_has_a_row():
    assert {int(number) for number in re.findall(r"(?m)^\| (\d+) \|", TABLE)} == set(range(1, 19))


def test_each_fault_of_november_2026_has_a_row():
    wanted = {f"A{number}" for number in range(1, 22)} | {f"B{number}" for number in range(1, 30)}
    assert wanted == set(re.findall(r"(?m)^\| ([AB]\d+) \|", FAULTS))
