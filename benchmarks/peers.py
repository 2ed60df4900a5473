"""Programs to compare with: Debian packages and Ansible collections, which only a test host ever sees unpacked.

They are downloaded into `.cache/bench` and `.cache/peers`; this machine's packages, its lists and its cache of apt stay
as they are.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARCHIVES = ROOT / ".cache/bench"
COLLECTIONS = ROOT / ".cache/peers"
PACKAGES = ["crun", "runc", "podman", "netavark", "systemd-container", "catatonit", "iptables", "iperf3"]
# The release that goes with the ansible-core of requirements.txt.
ANSIBLE = "ansible~=12.0"
WANTED = ("containers/podman/", "community/docker/", "community/library_inventory_filtering_v1/")
# Programs, how they say their version, and which word of it that is.
_VERSIONS = {
    "crun": ["crun", "--version"],
    "runc": ["runc", "--version"],
    "systemd-nspawn": ["systemd-nspawn", "--version"],
    "podman": ["podman", "--version"],
    "mmdebstrap": ["mmdebstrap", "--version"],
    "iptables": ["iptables", "--version"],
    "iperf3": ["iperf3", "--version"],
}


def install() -> None:
    """Download packages and collections, unless they are here already."""
    stamp, wanted = ARCHIVES / "stamp", json.dumps([PACKAGES, platform.freedesktop_os_release()["VERSION_ID"]])
    if not stamp.exists() or stamp.read_text() != wanted:
        _say(f"Debian packages {' '.join(PACKAGES)} into {ARCHIVES.relative_to(ROOT)}")
        shutil.rmtree(ARCHIVES, ignore_errors=True)
        _download_packages()
        stamp.write_text(wanted)
    stamp = COLLECTIONS / "stamp"
    if not stamp.exists() or stamp.read_text() != ANSIBLE:
        _say(f"collections of {ANSIBLE} into {COLLECTIONS.relative_to(ROOT)}")
        shutil.rmtree(COLLECTIONS, ignore_errors=True)
        _download_collections()
        stamp.write_text(ANSIBLE)


def add_to(host) -> None:
    """Give the test host `host` all packages. Its root file system keeps them to itself."""
    for archive in sorted(ARCHIVES.glob("archives/*.deb")):
        unpack = f"dpkg-deb --fsys-tarfile '{archive}' | tar -x -C / --keep-directory-symlink --no-overwrite-dir"
        host.run("bash", "-o", "pipefail", "-c", unpack)
    # update-alternatives(1) makes these in the packages' scripts.
    for name in ("iptables", "ip6tables", "iptables-save", "iptables-restore"):
        host.run("sh", "-c", f"[ -e /usr/sbin/{name} ] || ln -s xtables-nft-multi /usr/sbin/{name}")
    host.run("ldconfig")


def versions(host) -> dict[str, str]:
    """Versions of the programs that `host` has."""
    found = {}
    for name, command in _VERSIONS.items():
        done = host.run("sh", "-c", f"{' '.join(command)} || true")
        if number := re.search(r"\d+(\.\d+)*", done.stdout):
            found[name] = number[0]
    return found


def _download_packages() -> None:
    for name in ("archives", "lists"):
        (ARCHIVES / name / "partial").mkdir(parents=True)
    # apt.conf(5). The user _apt could not write there.
    own = {"Dir::Cache": ARCHIVES, "Dir::State::lists": ARCHIVES / "lists", "APT::Sandbox::User": "root"}
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in own.items())]
    _run([*apt, "update"])
    _run([*apt, "--yes", "--download-only", "--no-install-recommends", "install", *PACKAGES])


def _download_collections() -> None:
    COLLECTIONS.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "download", "--no-deps", "--only-binary", ":all:", "--dest", str(COLLECTIONS), ANSIBLE])
    [wheel] = COLLECTIONS.glob("ansible-*.whl")
    prefix = "ansible_collections/"
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(tuple(prefix + one for one in WANTED))]
        archive.extractall(COLLECTIONS, names)
    wheel.unlink()


def _run(command: list[str]) -> None:
    # A progress bar or a warning is nothing to read, an error is.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"bench: {' '.join(command[:2])} failed: {done.stderr.strip() or done.stdout.strip()}")


def _say(message: str) -> None:
    print(f"bench: {message}", file=sys.stderr, flush=True)
