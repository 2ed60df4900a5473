"""The test build: seams replace public names that exist, and tests change our code by seams only."""

import ast
import re
from pathlib import Path

import dying
import pytest
import seams

ROOT = Path(__file__).parents[3]
# This file has texts that are examples of what it finds.
FILES = sorted({*(ROOT / "tests").rglob("*.py")} - {Path(__file__)})
# A target of a seam in a test: "_container.exec.enter:ENTRY_TIMEOUT", "os:rename".
TARGET = re.compile(r"(?:_[a-z]+(?:\.[a-z_0-9]+)+|os|signal|sys|time):[A-Za-z_.0-9]+")
# Names that begin with an underscore, by file: of the standard library and of Ansible, which have no public ones.
PRIVATE_ALLOWED = {
    "tests/integration/support/warm_modules.py": {"basic._ANSIBLE_ARGS", "basic._ANSIBLE_PROFILE"},
}
# Ways of a text to replace a name of a module, and texts that may, by file.
REPLACES = re.compile(r"module_utils\(|import_module\(|\bsetattr\(|\b(?!self\.)[a-z]\w*\.(?:_[a-z]\w*|[A-Z]\w+) = ")
TEXTS_ALLOWED = {
    # Runs in an installed bundle, which can import nothing of the tests.
    "tests/unit/engine/test_bundle.py": {"bundle.LIBRARY_DIR = "},
}


def trees() -> list[tuple[str, ast.Module]]:
    """Each file of the tests: its path and syntax tree."""
    return [(str(file.relative_to(ROOT)), ast.parse(file.read_text())) for file in FILES]


def texts(tree: ast.AST) -> list[str]:
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def is_public(target: str) -> bool:
    return not any(part.startswith("_") for part in target.partition(":")[2].split("."))


TARGETS = sorted(
    {text for _, tree in trees() for text in texts(tree) if TARGET.fullmatch(text)}
    | {target for seam in seams.load().values() for target in seam.targets}
    | {target for case in dying.EFFECTS for target in dying.targets(case)}
)


def test_targets_of_tests_are_found():
    assert {"_container.exec.enter:ENTRY_TIMEOUT", "_kernel.cgroup:write_control_file", "os:execve"} <= set(TARGETS)
    assert len(TARGETS) > 60 and len(seams.load()) > 30


@pytest.mark.parametrize("target", TARGETS)
def test_target_is_public_and_exists(target):
    place, name = seams.find(target)
    assert hasattr(place, name) and is_public(target)


def test_every_seam_is_described_and_used():
    others = [file.read_text() for file in FILES if "support/seams/" not in str(file)]
    for name, seam in seams.load().items():
        assert seam.description.endswith((".", ")")), name
        assert any(re.search(rf"\b{name}\b", text) for text in others), f"{name} is not used"


def private_names(tree: ast.AST) -> set[str]:
    """Private names of other modules: attributes, imports, and texts in calls of monkeypatch.setattr()."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.match("_[^_]", node.attr):
            owner = ast.unparse(node.value)
            if owner not in ("self", "cls", "os"):
                found.add(f"{owner}.{node.attr}")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ansible_collections."):
            # _errors is a file, whose names are public.
            found |= {f"{node.module}.{name.name}" for name in node.names if re.match("_(?!errors$|$)", name.name)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
            found |= {text for argument in node.args for text in texts(argument) if text.startswith("_")}
    return found


def replaced_names(tree: ast.AST) -> set[str]:
    """Attributes of imported modules and classes of ours to which a value is assigned."""
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = {
        name.asname or name.name
        for node in imports
        if (node.module or "").startswith(("ansible_collections.", "conductor."))
        for name in node.names
    }
    assigned = [target for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets]
    dotted = {ast.unparse(target) for target in assigned if isinstance(target, ast.Attribute)}
    return {target for target in dotted if target.partition(".")[0] in ours}


def programs(tree: ast.AST) -> list[ast.Module]:
    """Texts that are Python with an import of our code."""
    found = []
    for text in texts(tree):
        if re.search(r"(ansible_collections|conductor)\..* import ", text):
            try:
                found.append(ast.parse(text))
            except SyntaxError:
                # A part of a program. REPLACES is searched in it.
                continue
    return found


def test_tests_use_public_names_only():
    for file, tree in trees():
        assert private_names(tree) == PRIVATE_ALLOWED.get(file, set()), file
        if file not in TEXTS_ALLOWED:
            assert [found for program in programs(tree) if (found := private_names(program))] == [], file


def test_tests_replace_names_of_ours_by_seams_only():
    for file, tree in trees():
        assert replaced_names(tree) == set(), file
        if file not in TEXTS_ALLOWED:
            assert [found for program in programs(tree) if (found := replaced_names(program))] == [], file
        found = {match for text in texts(tree) for match in REPLACES.findall(text)}
        assert found <= TEXTS_ALLOWED.get(file, set()), f"{file}: use a seam (tests/integration/support/seams)"


def test_private_and_replaced_names_are_found():
    for code in ("module._name", "from ansible_collections.x import _name", "monkeypatch.setattr(module, '_name', 1)"):
        assert len(private_names(ast.parse(code))) == 1, code
    assert not private_names(ast.parse("self._name; module.__name__; from ansible_collections.x import _errors"))
    assert replaced_names(ast.parse("from ansible_collections.x import y\ny.z = 1; self.z = 1")) == {"y.z"}
    assert len(programs(ast.parse("TEXT = 'from ansible_collections.x import y'"))) == 1
    for text in ("module_utils('x').y = 1", "bundle._digest = 1", "importlib.import_module(BASE)"):
        assert REPLACES.search(text), text
