"""script/bootstrap in a checkout of its own, whose requirements are empty."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path):
    """A checkout on a machine that has all Debian packages."""
    (tmp_path / "script").mkdir()
    shutil.copy(ROOT / "script/bootstrap", tmp_path / "script")
    (tmp_path / "requirements.txt").touch()
    program(tmp_path / "bin/dpkg-query", "echo installed")
    return tmp_path


def test_environment_without_pip_is_created_again(checkout):
    # As after an upgrade of Debian: the interpreter runs, and its packages are those of another release.
    program(checkout / ".venv/bin/python", '[ "$1" != -m ]')
    path = f"{checkout}/bin:{os.environ['PATH']}"
    done = subprocess.run(
        [checkout / "script/bootstrap"], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert os.access(checkout / ".venv/bin/pip", os.X_OK)


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "script").iterdir() if path.name != "bootstrap"))
def test_script_creates_the_environment_that_it_uses(name):
    lines = [line for line in (ROOT / "script" / name).read_text().splitlines() if not line.startswith("#")]
    for part in ("release", "bin", "collections"):
        if any(f".venv/{part}" in line for line in lines):
            command = "script/bootstrap release" if part == "release" else "script/bootstrap"
            assert any(command in line for line in lines), part


@pytest.mark.parametrize("name", ["bench", "demo", "molecule", "peers", "soak"])
def test_script_that_needs_root_says_so(name):
    (check,) = [line for line in (ROOT / "script" / name).read_text().splitlines() if "id -u" in line]
    assert check.startswith(f'[ "$(id -u)" = 0 ] || {{ echo "{name}: ') and "run this as root" in check
