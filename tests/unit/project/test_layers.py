"""The layers of docs/architecture.md: allowed imports, no circular imports, and pure specs and plans."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3] / "plugins" / "module_utils"
# A folder may import itself and folders of a lower rank.
RANK = {
    "_errors": 0,
    "_kernel": 1,
    "_engine": 2,
    "_image": 3,
    "_network": 3,
    "_container": 4,
    "_build": 5,
    "_stack": 6,
    "_cli": 7,
    "_agent": 8,
}
# Files without I/O that specs and plans may import besides each other.
VALUES = {
    "_errors",
    *(
        f"_engine.{name}"
        for name in (
            "action convert_options cpu_list decimal_number id_range names option paths sizes typed_values".split()
        )
    ),
}
FILES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(ROOT.rglob("*.py"))}


def imported(name: str) -> set[str]:
    """Return the files of module_utils that the file `name` imports, including imports in functions."""
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
def test_imports_follow_the_layers(name):
    for other in IMPORTS[name]:
        assert other in FILES, f"{name} imports {other}, which does not exist"
        assert name.partition(".")[0] == other.partition(".")[0] or rank(other) < rank(name), f"{name} imports {other}"


def test_no_circular_imports():
    left = dict(IMPORTS)
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left


@pytest.mark.parametrize("name", filter(is_pure, FILES))
def test_specs_and_plans_are_pure(name):
    assert {other for other in IMPORTS[name] if not is_pure(other)} == set()


def test_only_the_module_adapter_handles_check_mode():
    knowing = [name for name, path in FILES.items() if "check_mode" in path.read_text()]
    assert knowing == ["_engine.module_adapter"]
