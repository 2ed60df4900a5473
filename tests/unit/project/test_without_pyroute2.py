"""Step distribution of script/test skips tests of files that do not import pyroute2; these tests check that list."""

import ast
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[3] / "plugins"
COLLECTION = "ansible_collections.conductor.containers.plugins."


def imported(path: Path):
    """Yield the files of this collection that `path` imports, including imports in functions, and "pyroute2"."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [(name.name, PLUGINS) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = path.parents[node.level - 1] if node.level else PLUGINS
            module = node.module or ""
            names = [(f"{module}.{name.name}".strip("."), above) for name in node.names] + [(module, above)]
        else:
            continue
        for name, above in names:
            if name.split(".")[0] == "pyroute2":
                yield "pyroute2"
            file = above.joinpath(*name.removeprefix(COLLECTION).split(".")).with_suffix(".py")
            if file.is_file():
                yield file


def reached(path: Path) -> set:
    found, waiting = set(), [path]
    while waiting:
        new = set(imported(waiting.pop())) - found
        found |= new
        waiting += [each for each in new if each != "pyroute2"]
    return found


@pytest.mark.parametrize(
    "file",
    [
        "module_utils/_image/info.py",
        "module_utils/_container/copy/use_case.py",
        "module_utils/_container/exec/use_case.py",
        "action/conductor_copy.py",
        "action/conductor_target.py",
        "connection/conductor.py",
        "inventory/conductor.py",
        "module_utils/_agent/daemon.py",
        "module_utils/_agent/list_containers.py",
    ],
)
def test_file_does_not_import_pyroute2(file):
    assert "pyroute2" not in reached(PLUGINS / file)


def test_network_use_cases_import_pyroute2():
    """Check the search itself: without a hit the test above could not fail."""
    assert "pyroute2" in reached(PLUGINS / "module_utils/_network/use_case.py")
    assert "pyroute2" in reached(PLUGINS / "module_utils/_container/use_case.py")
    assert "pyroute2" in reached(PLUGINS / "module_utils/_build/use_case.py")
