"""The folders of docs/architecture.md: imports go one way, in no circle, and specs and plans are pure."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "plugins" / "module_utils"
# Who may import whom: a folder imports those of a lower rank, and what is in it itself.
RANK = {
    "_errors": 0,
    "_kernel": 1,
    "_engine": 2,
    "_image": 3,
    "_network": 3,
    "_container": 4,
    "_build": 5,
    "_cli": 6,
    "_agent": 6,
}
# What specs and plans may import besides each other: values, and no I/O.
VALUES = {"_errors", *(f"_engine.{name}" for name in ("action", "id_range", "names", "paths", "sizes", "typed_values"))}
FILES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py"))}


def imported(name: str) -> set[str]:
    """Files of ours that the file `name` imports, also in its functions."""
    found = set()
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = [*name.split(".")[: -node.level], *(node.module or "").split(".")]
            module = ".".join(part for part in parts if part)
            names = [".".join([module, alias.name]).strip(".") for alias in node.names]
            found |= {module} if module in FILES else set(names)
    return found


IMPORTS = {name: imported(name) for name in FILES}


def rank(name: str) -> int:
    return RANK[name.partition(".")[0]]


def is_pure(name: str) -> bool:
    return name in VALUES or bool({"spec", "plan"} & set(name.split(".")))


@pytest.mark.parametrize("name", FILES)
def test_imports_go_one_way(name):
    for other in IMPORTS[name]:
        assert other in FILES, f"{name} imports {other}, which does not exist"
        assert name.partition(".")[0] == other.partition(".")[0] or rank(other) < rank(name), f"{name} imports {other}"


def test_no_imports_go_in_a_circle():
    left = dict(IMPORTS)
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left


@pytest.mark.parametrize("name", filter(is_pure, FILES))
def test_specs_and_plans_are_pure(name):
    assert {other for other in IMPORTS[name] if not is_pure(other)} == set()


def test_check_mode_is_known_in_one_place():
    knowing = [name for name, path in FILES.items() if "check_mode" in path.read_text()]
    assert knowing == ["_engine.module_adapter"]
