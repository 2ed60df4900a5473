"""What Ansible sends to a managed host with each task of a module: its file, and all of ours that it imports."""

import ast
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[3] / "plugins"
COLLECTION = "ansible_collections.conductor.containers.plugins."
MODULES = sorted(path.name for path in (PLUGINS / "modules").glob("*.py") if path.name != "conductor_target.py")
# The bundle on the host has all the rest.
MOST_FILES, MOST_BYTES = 10, 60_000


def imported(path: Path) -> set[Path]:
    """Files of ours that `path` imports, at its top or within a function, as Ansible finds them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        above = path.parents[node.level - 1] if node.level else PLUGINS
        module = (node.module or "").removeprefix(COLLECTION)
        for name in (module, *(f"{module}.{alias.name}".strip(".") for alias in node.names)):
            found.add(above.joinpath(*name.split(".")).with_suffix(".py"))
    return {file for file in found if file.is_file()}


def payload(path: Path) -> set[Path]:
    files, waiting = {path}, [path]
    while waiting:
        new = imported(waiting.pop()) - files
        files |= new
        waiting += new
    return files


@pytest.mark.parametrize("module", MODULES)
def test_the_payload_is_small(module):
    files = payload(PLUGINS / "modules" / module)
    size = sum(file.stat().st_size for file in files)
    print(f"{module}: {len(files)} files, {size / 1000:.0f} kB of source")
    assert "module_adapter.py" in {file.name for file in files}
    assert len(files) <= MOST_FILES and size <= MOST_BYTES, sorted(str(file.relative_to(PLUGINS)) for file in files)


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_its_action_plugin(module):
    """Without it nothing sends the bundle."""
    text = (PLUGINS / "action" / module).read_text()
    assert f'MODULE = "conductor.containers.{module.removesuffix(".py")}"' in text
