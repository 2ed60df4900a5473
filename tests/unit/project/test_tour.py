"""docs/tour.md, docs/architecture.md and docs/decisions.md name files that exist, and functions that are in them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Directories in which a path of these documents may begin.
BASES = (ROOT, ROOT / "plugins", ROOT / "plugins" / "module_utils")
DOCS = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("tour", "architecture", "decisions")}
# Endings of files that are always the repository's; other names, like `container.json`, are those of a host.
SUFFIXES = (".py", ".md", ".yml", ".j2")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in DOCS["tour"].partition("## Index")[2].splitlines()
    if line.startswith("| ") and not line.startswith("| Thing ")
]


def code_in(text: str) -> list[str]:
    """Inline code of a Markdown text without its fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```$", "", text))


def find(path: str) -> Path | None:
    """The file or directory of the repository that `path` means, or None."""
    return next((base / path for base in BASES if (base / path).exists()), None)


def files_in(text: str) -> set[str]:
    found = {word for word in code_in(text) if word.endswith(SUFFIXES) and not word.startswith("/")}
    # Of no folder.
    return found - {"__init__.py"}


def functions_in(text: str) -> set[str]:
    return {word.removesuffix("()") for word in code_in(text) if re.fullmatch(r"[\w.]+\(\)", word)}


def defined(body: list[ast.stmt], prefix: str = "") -> set[str]:
    """Names that a module defines: functions, classes, their methods as Class.method, and constants."""
    names = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                names |= defined(node.body, f"{prefix}{node.name}.")
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            names |= {prefix + name.id for name in ast.walk(target) if isinstance(name, ast.Name)} if target else set()
    return names


def defined_in(path: str) -> set[str]:
    file = find(path)
    return defined(ast.parse(file.read_text()).body) if file and file.suffix == ".py" else set()


@pytest.mark.parametrize("name", DOCS)
def test_every_file_that_is_named_exists(name):
    folders = {word for word in code_in(DOCS[name]) if re.fullmatch(r"(_|plugins|module_utils)[\w/]*/", word)}
    named = files_in(DOCS[name])
    assert named
    assert [path for path in sorted(named | folders) if find(path) is None] == []
    links = re.findall(r"\]\(([\w./-]+)\)", DOCS[name])
    assert [link for link in links if not (ROOT / "docs" / link).is_file()] == []


@pytest.mark.parametrize("name", DOCS)
def test_every_function_that_is_named_is_in_a_file_that_is_named(name):
    known = set().union(*map(defined_in, files_in(DOCS[name])))
    known |= {full.rpartition(".")[2] for full in known}
    assert functions_in(DOCS[name]) - known == set()


def test_the_table_of_folders_has_each_folder():
    table = DOCS["architecture"].partition("## Folders")[2].partition("\n## ")[0]
    named = {word.rstrip("/") for word in re.findall(r"(?m)^\| `([^`]+)`", table)}
    plugins = ROOT / "plugins"
    found = [*plugins.iterdir(), *(plugins / "module_utils").iterdir()]
    # Byte code of a folder that has moved may be left.
    found = [path for path in found if path.is_file() or any(path.rglob("*.py"))]
    folders = {str(path.relative_to(plugins)) for path in found if path.name != "module_utils"}
    assert named == folders


def test_the_table_of_the_tour_is_read():
    assert len(ROWS) >= 12
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_name_in_the_table_is_defined_in_its_file(row):
    _, file, names = row
    (path,) = code_in(file)
    wanted = [name.removesuffix("()") for name in code_in(names)]
    assert wanted
    assert [name for name in wanted if name not in defined_in(path)] == []
