# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filling a directory with a Debian root file system: by mmdebstrap, debootstrap, or from an archive."""

from __future__ import annotations

import hashlib
import os
import subprocess

from .._errors import EffectFailed, HostNotCapable, InvalidInput, NotFound
from .._linux.commands import find_program, require_program, run
from .._linux.inside_root import exists_inside
from .apt_sources import debian_archive, host_codename, host_sources
from .isolated import run_logged
from .neutral import opened

_FALLBACK_SUITE = "trixie"


def choose_builder(wanted: str) -> str:
    """mmdebstrap or debootstrap: the one wanted, or for `auto` the faster one that is installed."""
    if wanted != "auto":
        require_program(wanted, wanted)
        return wanted
    for name in ("mmdebstrap", "debootstrap"):
        if find_program(name):
            return name
    raise HostNotCapable(
        "neither mmdebstrap nor debootstrap is installed",
        "apt-get install mmdebstrap, or role conductor.containers.host",
    )


def complete(recipe: dict) -> dict:
    """`recipe` with the host's own values for what it leaves open."""
    codename = host_codename()
    architecture = run([require_program("dpkg", "dpkg"), "--print-architecture"]).decode().strip()
    filled = {"suite": codename or _FALLBACK_SUITE, "variant": "minbase", "architecture": architecture,
              "components": ["main"], "packages": [], "commands": [], **recipe}  # fmt: skip
    if filled["architecture"] != architecture and not _runs_foreign(filled["architecture"]):
        raise HostNotCapable(
            f"this host ({architecture}) cannot run programs of architecture {filled['architecture']}",
            "apt-get install qemu-user-static binfmt-support",
        )
    if "keyring" in filled and not os.path.isfile(filled["keyring"]):
        raise NotFound(f"keyring {filled['keyring']} does not exist")
    return filled


def _runs_foreign(architecture: str) -> bool:
    names = {
        "amd64": "x86_64",
        "arm64": "aarch64",
        "armhf": "arm",
        "armel": "arm",
        "i386": "i386",
        "ppc64el": "ppc64le",
    }
    return os.path.exists(f"/proc/sys/fs/binfmt_misc/qemu-{names.get(architecture, architecture)}")


def bootstrap(builder: str, recipe: dict, rootfs: str, log: str) -> None:
    """Build `recipe` (completed) into the directory `rootfs`, which must not exist. Raises EffectFailed."""
    mirror, security = debian_archive(host_sources(), host_codename() or "")
    if "mirror" in recipe:
        mirror, security = recipe["mirror"], None
    command = _mmdebstrap if builder == "mmdebstrap" else _debootstrap
    run_logged(command(recipe, rootfs, mirror, security), log, f"{builder} of {recipe['suite']}")


def _mmdebstrap(recipe: dict, rootfs: str, mirror: str | None, security: str | None) -> list[str]:
    argv = [
        require_program("mmdebstrap", "mmdebstrap"), "--mode=root", "--format=directory",
        f"--variant={recipe['variant']}",
        f"--architectures={recipe['architecture']}", f"--components={','.join(recipe['components'])}",
    ]  # fmt: skip
    if recipe["packages"]:
        argv.append(f"--include={','.join(recipe['packages'])}")
    if "keyring" in recipe:
        argv.append(f"--keyring={recipe['keyring']}")
    argv += [recipe["suite"], rootfs]
    if mirror is None:
        return argv
    suite, components = recipe["suite"], " ".join(recipe["components"])
    lines = [f"deb {mirror} {suite} {components}"]
    if security and suite not in ("sid", "unstable", "testing"):
        lines += [f"deb {mirror} {suite}-updates {components}", f"deb {security} {suite}-security {components}"]
    return [*argv, *lines]


def _debootstrap(recipe: dict, rootfs: str, mirror: str | None, _security: str | None) -> list[str]:
    argv = [
        require_program("debootstrap", "debootstrap"), f"--arch={recipe['architecture']}",
        f"--components={','.join(recipe['components'])}",
    ]  # fmt: skip
    # debootstrap's name for a system with all of priority important is no variant at all.
    if recipe["variant"] not in ("-", "important"):
        argv.append(f"--variant={recipe['variant']}")
    if recipe["packages"]:
        argv.append(f"--include={','.join(recipe['packages'])}")
    if "keyring" in recipe:
        argv.append(f"--keyring={recipe['keyring']}")
    return [*argv, recipe["suite"], rootfs, *([mirror] if mirror else [])]


def checksum(path: str) -> str:
    """sha256 of a file, as sha256:HEX."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def unpack(source: dict, rootfs: str, log: str) -> str:
    """Unpack an archive into `rootfs`; its checksum. Raises NotFound, InvalidInput, EffectFailed.

    GNU tar refuses members with `..`, strips a leading `/`, and makes links last, so that nothing gets out by them.
    """
    archive = source["archive"]
    if not os.path.isfile(archive):
        raise NotFound(f"source: archive {archive} does not exist on the managed host", "copy it there first")
    found = checksum(archive)
    if "checksum" in source and found != source["checksum"]:
        raise InvalidInput(f"source: archive {archive} has the checksum {found}, not {source['checksum']}")
    os.mkdir(rootfs, 0o755)
    tar = [require_program("tar", "tar"), "--extract", f"--file={archive}", f"--directory={rootfs}", "--numeric-owner",
           "--same-owner", "--same-permissions", "--xattrs", "--xattrs-include=*", "--acls"]  # fmt: skip
    run_logged(tar, log, f"unpacking {archive}")
    with opened(rootfs) as root:
        has_shell = exists_inside(root, "/bin/sh") or exists_inside(root, "/usr/bin/sh")
    if not has_shell:
        raise EffectFailed(f"{archive} holds no root file system: there is no /bin/sh in it")
    return found


def run_commands(commands: list[str], rootfs: str, log: str) -> None:
    """Run each of `commands` by the shell of `rootfs`, in it. Raises EffectFailed."""
    prepare = (
        'mount --rbind "$1" "$1"; mount -t proc proc "$1/proc"; mount -t tmpfs tmpfs "$1/tmp"; '
        'mount --rbind /dev "$1/dev"; [ ! -e /etc/resolv.conf ] || { touch "$1/etc/resolv.conf"; '
        'mount --bind /etc/resolv.conf "$1/etc/resolv.conf"; }; exec chroot "$1" /bin/sh -ec "$2"'
    )
    for command in commands:
        run_logged(["/bin/sh", "-ec", prepare, "sh", rootfs, command], log, f"command {command!r}")


def tree_size(directory: str) -> int:
    """Bytes on disk of all below `directory`, each file once."""
    out = subprocess.run(["du", "-sx", "-B1", directory], capture_output=True, check=False).stdout
    return int(out.split()[0]) if out else 0
