"""The layout of the tests (docs/development.md): folders with the nouns of the code, and small files."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
TESTS = ROOT / "tests"
NOUNS = {path.name.strip("_") for path in (ROOT / "plugins" / "module_utils").glob("_*/")}
# Folders of no part of module_utils.
OTHERS = {"command", "connection", "escapes", "inventory", "machine", "module", "plugins", "project", "role"}
FILES = sorted(path for top in ("unit", "integration") for path in (TESTS / top).rglob("test_*.py"))


def test_nouns_are_those_of_the_code():
    assert {"agent", "container", "engine", "image", "kernel", "network"} <= NOUNS and len(FILES) > 100


def test_files_are_in_folders_whose_names_they_do_not_repeat():
    for file in FILES:
        _, *folders, name = file.relative_to(TESTS).parts
        assert len(folders) == 1 and folders[0] in NOUNS | OTHERS, file
        assert not name.startswith(f"test_{folders[0]}_"), file


def test_files_are_small():
    assert [file for file in FILES if len(file.read_text().splitlines()) > 400] == []
