# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build a Debian root file system with mmdebstrap(1) or debootstrap(8)."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from .._engine.paths import RUN_DIR
from .._errors import HostNotCapable, InvalidInput, NotFound, mark_pending
from .._image.spec.recipe import VARIANTS, Recipe, with_defaults
from .._kernel.files.atomic_write import read_text
from .._kernel.files.within_root import exists_inside, write_files
from .._kernel.run_program import find_program, require_program, run
from .apt_auth import auth_conf, has_login, without_login
from .apt_settings import download_settings, proxies, without_host_files
from .apt_sources import debian_archive, host_codename, host_sources
from .builder_mount import ROOT, mount_for_builder
from .isolated_program import run_logged
from .layers import make_directory
from .sanitize import MMDEBSTRAP_SETTINGS, drop_caches, opened_root

_FALLBACK_SUITE = "trixie"
# Names of the files with apt settings, and with logins for mirrors, for mmdebstrap.
_SETTINGS, _AUTH = "apt.conf", "auth.conf"
# Name of the image's copy of a keyring, without its suffix.
_KEYRING_COPY = "/etc/apt/keyrings/mirror"
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
    unsuitable = {name: _missing_ability(name, recipe) for name in VARIANTS}
    if wanted is not None:
        require_program(wanted, wanted)
        if unsuitable[wanted]:
            raise InvalidInput(
                f"builder: {wanted} does not {unsuitable[wanted]}", "set builder: mmdebstrap, or omit builder"
            )
        return wanted
    able = [name for name, reason in unsuitable.items() if not reason]
    for name in able:
        if find_program(name):
            return name
    raise HostNotCapable(
        f"builder: {' or '.join(able)} is required to build this image, but not installed",
        "run apt-get install mmdebstrap, or apply role conductor.containers.host",
    )


def _missing_ability(builder: str, recipe: Recipe) -> str:
    """Return the reason why `builder` cannot build `recipe`, or ""."""
    if recipe.variant not in VARIANTS[builder]:
        return f"support variant {recipe.variant!r}"
    if builder == "mmdebstrap":
        return ""
    if any(set(package) & set(":=") for package in recipe.packages or ()):
        return "support versions of packages"
    # wget's own file for logins cannot be private to a build.
    mirror = _archives(recipe)[0]
    return f"log in to mirror {without_login(mirror)}" if mirror and has_login(_auth(recipe), mirror) else ""


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
        settings = download_settings()
        files = {_SETTINGS: _text([*settings, f'Dir::Etc::netrc "{RUN_DIR}/{_AUTH}";']), _AUTH: _auth(recipe)}
        show = partial(mount_for_builder, rootfs, files)
        run_logged(_mmdebstrap(recipe, lines), log, what, prepare=show)
        write_settings(rootfs, without_host_files(settings))
    else:
        show = partial(mount_for_builder, rootfs, {})
        run_logged(_debootstrap(recipe, lines), log, what, prepare=show, environment=proxies(only_archives=True))
    if lines:
        write_sources(rootfs, lines, recipe.keyring)
    drop_caches(rootfs)


def write_settings(rootfs: str, lines: Sequence[str]) -> None:
    """Replace the settings of apt that mmdebstrap has copied into the image, for the commands of the image.

    The copied ones name a file with logins that the image does not have, instead of apt's own.
    """
    with opened_root(rootfs) as root:
        write_files(root, {MMDEBSTRAP_SETTINGS: _text(lines).encode()})


def write_sources(rootfs: str, lines: Sequence[str], keyring: str | None) -> None:
    """Write the image's sources.list(5) with `lines`, signed by the keys in the host's file `keyring` if it is given.

    The builders trust that file for the build only. An image that has a file of that path, which a package updates,
    uses its own; else it gets a copy. debootstrap writes only the first of `lines`, which has no updates.
    """
    files = {}
    with opened_root(rootfs) as root:
        if keyring is not None:
            if not exists_inside(root, keyring):
                content = Path(keyring).read_bytes()
                # apt takes the format of a keyring from its suffix.
                keyring = f"{_KEYRING_COPY}.{'asc' if content.startswith(b'-----BEGIN PGP') else 'gpg'}"
                files[keyring] = content
            lines = [line.replace("deb ", f"deb [signed-by={keyring}] ", 1) for line in lines]
        files["/etc/apt/sources.list"] = _text(lines).encode()
        write_files(root, files)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _archives(recipe: Recipe) -> tuple[str | None, str | None]:
    """Return the URIs of the mirror and of its security archive, with their logins."""
    return (recipe.mirror, None) if recipe.mirror else debian_archive(host_sources(), host_codename())


def _auth(recipe: Recipe) -> str:
    return auth_conf(uri for uri in _archives(recipe) if uri)


def sources_list(recipe: Recipe) -> list[str]:
    """Return the lines of the image's sources.list(5), from option mirror or else the host's sources, without logins.

    Empty if the builder's default applies.
    """
    mirror, security = (uri and without_login(uri) for uri in _archives(recipe))
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
