# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build a Debian root file system with mmdebstrap(1) or debootstrap(8)."""

from __future__ import annotations

import glob
import os
import re
from functools import partial

from .._engine.paths import RUN_DIR
from .._errors import HostNotCapable, InvalidInput, NotFound, mark_pending
from .._image.spec.recipe import VARIANTS, Recipe, with_defaults
from .._kernel.files.atomic_write import read_text
from .._kernel.files.within_root import write_files
from .._kernel.run_program import find_program, require_program, run
from .apt_settings import download_settings, proxies
from .apt_sources import debian_archive, host_codename, host_sources
from .builder_mount import ROOT, mount_for_builder
from .isolated_program import run_logged
from .layers import make_directory
from .sanitize import drop_caches, opened_root

_FALLBACK_SUITE = "trixie"
# Name of the file with apt settings for mmdebstrap.
_SETTINGS = "apt.conf"
_DEBIAN_KEYRING, _KEYRING_PACKAGE = "/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"
# Files with the keys that apt, and so mmdebstrap, trusts (apt-secure(8)).
_APT_KEYS = ("/etc/apt/trusted.gpg", "/etc/apt/trusted.gpg.d/*.gpg", "/etc/apt/trusted.gpg.d/*.asc")
# Suites without archives for updates and security fixes.
_ROLLING = ("sid", "unstable", "testing", "experimental")
# Names of Debian architectures in the kernel and in qemu, if they differ.
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "armhf": "arm", "armel": "arm", "ppc64el": "ppc64le"}
# (host, other): the host's processor also runs programs of the other architecture.
_ALSO_RUNS = {("amd64", "i386")}


def choose_builder(wanted: str | None, recipe: Recipe) -> str:
    """Return the wanted builder, else mmdebstrap (the faster one) or debootstrap, whichever is installed and suitable.

    `recipe` is complete. Raises HostNotCapable if no suitable builder is installed, InvalidInput if the wanted one is
    not suitable.
    """
    able = [name for name in VARIANTS if recipe.variant in VARIANTS[name] and _takes_packages(name, recipe)]
    if wanted is not None:
        require_program(wanted, wanted)
        if wanted not in able:
            raise InvalidInput(
                f"builder: {wanted} does not support variant {recipe.variant!r}, or versions of packages",
                "set builder: mmdebstrap, which supports both",
            )
        return wanted
    for name in able:
        if find_program(name):
            return name
    raise HostNotCapable(
        f"builder: {' or '.join(able)} is required to build this image, but not installed",
        "run apt-get install mmdebstrap, or apply role conductor.containers.host",
    )


def _takes_packages(builder: str, recipe: Recipe) -> bool:
    return builder != "debootstrap" or not any(set(package) & set(":=") for package in recipe.packages or ())


def with_host_defaults(recipe: Recipe) -> Recipe:
    """Return `recipe` with this host's defaults for the options that are not given.

    Raises HostNotCapable if the host cannot run programs of the architecture, NotFound if the keyring does not exist.
    """
    architecture = run([require_program("dpkg", "dpkg"), "--print-architecture"]).decode().strip()
    filled = with_defaults(recipe, host_codename() or _FALLBACK_SUITE, architecture)
    if filled.architecture != architecture and not _runs(filled.architecture or "", architecture):
        raise HostNotCapable(
            f"architecture: this host ({architecture}) cannot run programs of architecture {filled.architecture}",
            "run apt-get install qemu-user-static binfmt-support",
        )
    if filled.keyring is not None and not os.path.isfile(filled.keyring):
        raise mark_pending(
            NotFound(f"keyring: {filled.keyring} does not exist on the managed host", "copy it to the host first")
        )
    return filled


def check_keyring(builder: str, recipe: Recipe) -> None:
    """Raise HostNotCapable if the host has no key for `builder` to verify the archive of `recipe` (complete)."""
    if recipe.keyring is not None:
        return
    keyring = _default_keyring(builder, recipe.suite or "")
    trusted = [path for pattern in _APT_KEYS for path in glob.glob(pattern)] if builder == "mmdebstrap" else []
    if not os.path.exists(keyring) and not trusted:
        remedy = f"run apt-get install {_KEYRING_PACKAGE}" if keyring == _DEBIAN_KEYRING else "install its package"
        raise HostNotCapable(
            f"keyring: {keyring} does not exist on the managed host; {builder} cannot verify the archive's signature",
            f"{remedy}, or set keyring",
        )


def _default_keyring(builder: str, suite: str) -> str:
    """Return the keyring that debootstrap's script for the suite names, else Debian's."""
    script = read_text(f"/usr/share/debootstrap/scripts/{suite}") if builder == "debootstrap" else ""
    found = re.search(r"^\s*keyring\s+(/\S+)", script, re.MULTILINE)
    return found[1] if found else _DEBIAN_KEYRING


def _runs(architecture: str, host: str) -> bool:
    machine = _MACHINES.get(architecture, architecture)
    return (host, architecture) in _ALSO_RUNS or os.path.exists(f"/proc/sys/fs/binfmt_misc/qemu-{machine}")


def bootstrap(builder: str, recipe: Recipe, rootfs: str, log: str) -> None:
    """Build `recipe` (complete) in the new directory `rootfs`. Raises EffectFailed."""
    lines = sources_list(recipe)
    what = f"{builder} of {recipe.suite}"
    make_directory(rootfs)
    if builder == "mmdebstrap":
        settings = {_SETTINGS: "".join(f"{line}\n" for line in download_settings())}
        show = partial(mount_for_builder, rootfs, settings)
        run_logged(_mmdebstrap(recipe, lines), log, what, prepare=show)
    else:
        show = partial(mount_for_builder, rootfs, {})
        run_logged(_debootstrap(recipe, lines), log, what, prepare=show, environment=proxies())
        if lines:
            # debootstrap writes only the first line, which has no updates.
            with opened_root(rootfs) as root:
                write_files(root, {"/etc/apt/sources.list": "".join(f"{line}\n" for line in lines).encode()})
    drop_caches(rootfs)


def sources_list(recipe: Recipe) -> list[str]:
    """Return the lines of the image's sources.list(5), from option mirror or else the host's sources.

    Empty if the builder's default applies.
    """
    mirror, security = recipe.mirror, None
    if mirror is None:
        mirror, security = debian_archive(host_sources(), host_codename())
    if mirror is None:
        return []
    components = " ".join(recipe.components or ())
    lines = [f"deb {mirror} {recipe.suite} {components}"]
    if security and recipe.suite not in _ROLLING:
        lines.append(f"deb {mirror} {recipe.suite}-updates {components}")
        lines.append(f"deb {security} {recipe.suite}-security {components}")
    return lines


def _mmdebstrap(recipe: Recipe, lines: list[str]) -> list[str]:
    argv = ["mmdebstrap", "--mode=root", "--format=directory", f"--variant={recipe.variant}",
            f"--architectures={recipe.architecture}", f"--components={','.join(recipe.components or ())}",
            f"--aptopt={os.path.join(RUN_DIR, _SETTINGS)}"]  # fmt: skip
    return [*argv, *_common(recipe), f"{recipe.suite}", ROOT, *lines]


def _debootstrap(recipe: Recipe, lines: list[str]) -> list[str]:
    # Without --force-check-gpg, debootstrap only warns if the keyring is missing, and skips the signature check.
    argv = [
        "debootstrap",
        "--force-check-gpg",
        f"--arch={recipe.architecture}",
        f"--components={','.join(recipe.components or ())}",
    ]
    # Without --variant, debootstrap installs all packages of priority important.
    if recipe.variant != "important":
        argv.append(f"--variant={recipe.variant}")
    mirror = [lines[0].split()[1]] if lines else []
    return [*argv, *_common(recipe), f"{recipe.suite}", ROOT, *mirror]


def _common(recipe: Recipe) -> list[str]:
    packages = [f"--include={','.join(recipe.packages)}"] if recipe.packages else []
    return [*packages, *([f"--keyring={recipe.keyring}"] if recipe.keyring else [])]
