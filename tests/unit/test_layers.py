"""The rooms of docs/architecture.md: imports go only downwards."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "plugins" / "module_utils"
RANK = {
    "_errors": 0,
    "_zipapp": 0,
    "_model": 1,
    "_linux": 1,
    "_store": 2,
    "_plan": 2,
    "_image": 3,
    "_network": 3,
    "_container": 4,
    "_case": 5,
    "_command": 6,
    "_entry": 6,
}


def imported_rooms(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 2:
            yield from [node.module.split(".")[0]] if node.module else [name.name for name in node.names]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downwards(path):
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for other in imported_rooms(path):
        assert RANK[other] < RANK[room], f"{room} imports {other}"


def test_the_plan_is_pure():
    for path in (ROOT / "_plan").glob("*.py"):
        assert set(imported_rooms(path)) <= {"_model", "_errors"}, path


def test_check_mode_is_known_in_one_place():
    knowing = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if "check_mode" in path.read_text()]
    assert knowing == ["_case/run.py"]
