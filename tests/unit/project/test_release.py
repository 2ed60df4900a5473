"""A release is rehearsed on a copy of the tree: the changelog reads well, and the archive is complete."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_first_release_can_be_made(tmp_path):
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    present = b"\0".join(name for name in files.split(b"\0") if name and (ROOT / name.decode()).exists())
    packed = subprocess.run(
        ["tar", "-c", "--null", "--no-recursion", "-T", "-"], cwd=ROOT, input=present, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", tmp_path], input=packed, check=True)
    (tmp_path / ".venv").mkdir()
    # Python finds its libraries by pyvenv.cfg above its own path.
    for name in ("bin", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / name).symlink_to((ROOT / ".venv" / name).resolve())
    # It has the .venv of this checkout.
    (tmp_path / "script/bootstrap").write_text("#!/bin/sh\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    version = re.search(r"^version: (\S+)$", (ROOT / "galaxy.yml").read_text(), re.M)[1]
    done = subprocess.run(["script/release", version], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "CHANGELOG.md").read_text().replace("\\", "")
    assert f"## v{version}" in text and "### Release Summary" in text and "conductor_container" in text
    assert not re.findall(r"\b(?:O|C|V|RV|E|P|M|B|I)\([^)]*\)", text)
    # Faults and former interfaces of unreleased code are not listed, since no user has had them.
    assert not [name for name in ("Bugfixes", "Security Fixes", "Breaking Changes") if f"### {name}" in text]
    assert "`interface`" not in text
    again = subprocess.run(["script/release", "99.0.0"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "set version: 99.0.0" in again.stderr
