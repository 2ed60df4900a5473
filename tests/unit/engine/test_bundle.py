"""The bundle: its content, reproducible bytes, and execution with only Python."""

import ast
import fcntl
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.conductor.containers.plugins.module_utils._engine import bundle
from ansible_collections.conductor.containers.plugins.module_utils._errors import LockTimeout

ROOT = Path(__file__).parents[3]
FROM_COLLECTION = (
    f"import sys; sys.path.insert(0, {str(ROOT / '.venv/collections')!r}); "
    "from ansible_collections.conductor.containers.plugins.module_utils._engine import bundle; "
)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """The directory of bundles."""
    monkeypatch.setattr(bundle, "LIBRARY_DIR", str(tmp_path / "lib"))
    return tmp_path / "lib"


@pytest.fixture(scope="module")
def sources() -> dict[str, bytes]:
    """Source files in the bundle."""
    with zipfile.ZipFile(io.BytesIO(bundle.pack()[1])) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_bundle_imports_only_the_standard_library_pyroute2_and_yaml(sources):
    assert "conductor/_container/use_case.py" in sources and "conductor/_engine/module_adapter.py" not in sources
    imported = set()
    for text in sources.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    # PyYAML is optional: only `conductor up` of a file in YAML needs it.
    assert imported - set(sys.stdlib_module_names) == {"conductor", "pyroute2", "yaml"}


def test_each_folder_is_a_regular_package(sources):
    folders = {name.rpartition("/")[0] for name in sources if "/" in name}
    assert all(f"{folder}/__init__.py" in sources for folder in folders)


def test_same_sources_give_the_same_bundle():
    code = FROM_COLLECTION + "import hashlib; print(bundle.pack()[0], hashlib.sha256(bundle.pack()[1]).hexdigest())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(found) == 1


def test_installed_bundle_runs_and_returns_its_hash(library):
    name, data = bundle.pack()
    directory = bundle.install(name, io.BytesIO(data))
    assert directory == str(library / name) == bundle.install(name, io.BytesIO(b"not read"))
    code = f"import sys; sys.path.insert(0, {directory!r}); from conductor._engine import bundle; "
    code += f"bundle.LIBRARY_DIR = {str(library)!r}; "
    code += "print(bundle.digest(), bundle.current(), bundle.pack()[0])"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [name, directory, name]
    assert subprocess.run(
        [sys.executable, "-I", "-S", directory, "no-verb"], check=False, capture_output=True
    ).returncode


def test_bundle_in_a_zip_file_packs_the_same_bundle(tmp_path):
    name, data = bundle.pack()
    (tmp_path / "bundle.zip").write_bytes(data)
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'bundle.zip')!r}); from conductor._engine import bundle; "
    code += f"print(bundle.digest(), bundle.pack() == ({name!r}, open({str(tmp_path / 'bundle.zip')!r}, 'rb').read()))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [name, "True"]


def with_file(data: bytes, name: str, text: str) -> io.BytesIO:
    """Return the zip file `data` with the file `name` added or replaced."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as ours, zipfile.ZipFile(changed, "w") as other:
        for each in ours.namelist():
            other.writestr(each, to_bytes(text) if each == name else ours.read(each))
        if name not in ours.namelist():
            other.writestr(name, text)
    return changed


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conductor/_errors.py", "import os"), ("conductor/__init__.py", "import os"), ("__main__.py", "import os"),
        ("other.py", ""), ("conductor/_kernel/new.py", ""), ("../outside.py", ""), ("../outside/__init__.py", ""),
        ("conductor/../../__init__.py", ""), ("conductor/../../outside.py", ""),
    ],
)  # fmt: skip
def test_content_with_a_different_hash_is_refused(library, name, text):
    hash_, data = bundle.pack()
    with pytest.raises(ValueError, match="damaged"):
        bundle.install(hash_, with_file(data, name, text))
    assert os.listdir(library.parent) == ["lib"] and os.listdir(library) == []


def test_installation_does_not_wait_for_another_one_without_end(library, monkeypatch):
    monkeypatch.setattr(bundle, "LOCK_TIMEOUT", 0.0)
    library.mkdir()
    other = os.open(library, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(LockTimeout, match=f"^{library} is locked by another process for longer than 0 s. Wait"):
        bundle.install("0" * 16, io.BytesIO())
    os.close(other)


def test_missing_bundle_raises_module_not_found(library):
    with pytest.raises(ModuleNotFoundError, match="no bundle at"):
        bundle.load("_errors", "0" * 16)


def test_only_one_bundle_is_pinned(library):
    for name in "ab":
        (library / name / "conductor").mkdir(parents=True)
        bundle.pin(str(library / name))
    assert not (library / "a/pinned").exists() and (library / "b/pinned").exists()
    bundle.unpin()
    assert not (library / "b/pinned").exists()
