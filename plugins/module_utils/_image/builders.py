# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filling a directory with a Debian root file system by mmdebstrap(1) or debootstrap(8)."""

from __future__ import annotations

import os

from .._errors import HostNotCapable, InvalidInput, NotFound
from .._linux.commands import find_program, require_program, run
from .._linux.inside_root import write_files
from .._model.image import VARIANTS, Recipe, with_defaults
from .apt_settings import download_settings, proxies
from .apt_sources import debian_archive, host_codename, host_sources
from .isolated import run_logged
from .neutral import drop_caches, opened

_FALLBACK_SUITE = "trixie"
# These have no archives of updates and of security fixes beside them.
_ROLLING = ("sid", "unstable", "testing", "experimental")
# The kernel's (qemu's) names of Debian's architectures, where they differ.
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "armhf": "arm", "armel": "arm", "ppc64el": "ppc64le"}
# Processors that run the other one's programs as well.
_ALSO_RUNS = {("amd64", "i386")}


def choose_builder(wanted: str | None, recipe: Recipe) -> str:
    """mmdebstrap or debootstrap: the one wanted, else the first, the faster, that is here and can do it.

    `recipe` is complete. Raises HostNotCapable, InvalidInput.
    """
    able = [name for name in VARIANTS if recipe.variant in VARIANTS[name] and _takes_packages(name, recipe)]
    if wanted is not None:
        require_program(wanted, wanted)
        if wanted not in able:
            raise InvalidInput(
                f"{wanted} has no variant {recipe.variant!r}, or cannot choose versions of packages",
                "set builder: mmdebstrap, which can",
            )
        return wanted
    for name in able:
        if find_program(name):
            return name
    raise HostNotCapable(
        f"{' and '.join(able)} {'is' if len(able) == 1 else 'are'} not installed, one of which builds this",
        "apt-get install mmdebstrap, or role conductor.containers.host",
    )


def _takes_packages(builder: str, recipe: Recipe) -> bool:
    return builder != "debootstrap" or not any(set(package) & set(":=") for package in recipe.packages or ())


def complete(recipe: Recipe) -> Recipe:
    """`recipe` with the host's own values for what it leaves open. Raises HostNotCapable, NotFound."""
    architecture = run([require_program("dpkg", "dpkg"), "--print-architecture"]).decode().strip()
    filled = with_defaults(recipe, host_codename() or _FALLBACK_SUITE, architecture)
    if filled.architecture != architecture and not _runs(filled.architecture or "", architecture):
        raise HostNotCapable(
            f"this host ({architecture}) cannot run programs of architecture {filled.architecture}",
            "apt-get install qemu-user-static binfmt-support",
        )
    if filled.keyring is not None and not os.path.isfile(filled.keyring):
        raise NotFound(f"keyring {filled.keyring} does not exist on the managed host")
    return filled


def _runs(architecture: str, host: str) -> bool:
    machine = _MACHINES.get(architecture, architecture)
    return (host, architecture) in _ALSO_RUNS or os.path.exists(f"/proc/sys/fs/binfmt_misc/qemu-{machine}")


def bootstrap(builder: str, recipe: Recipe, rootfs: str, log: str) -> None:
    """Build `recipe` (complete) into the directory `rootfs`, which must not exist. Raises EffectFailed."""
    lines = sources_list(recipe)
    what = f"{builder} of {recipe.suite}"
    if builder == "mmdebstrap":
        settings = f"{rootfs}.apt.conf"
        with open(settings, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write("".join(f"{line}\n" for line in download_settings()))
        run_logged(_mmdebstrap(recipe, rootfs, lines, settings), log, what)
        os.unlink(settings)
    else:
        run_logged(_debootstrap(recipe, rootfs, lines), log, what, environment=proxies())
        if lines:
            # debootstrap itself writes the first line only: no updates would come.
            with opened(rootfs) as root:
                write_files(root, {"/etc/apt/sources.list": "".join(f"{line}\n" for line in lines).encode()})
    drop_caches(rootfs)


def sources_list(recipe: Recipe) -> list[str]:
    """The image's sources.list(5) as far as it is not the builder's own: from the option, else as this host's."""
    if recipe.mirror is not None:
        mirror, security = recipe.mirror, None
    else:
        mirror, security = debian_archive(host_sources(), host_codename())
    if mirror is None:
        return []
    components = " ".join(recipe.components or ())
    lines = [f"deb {mirror} {recipe.suite} {components}"]
    if security and recipe.suite not in _ROLLING:
        lines.append(f"deb {mirror} {recipe.suite}-updates {components}")
        lines.append(f"deb {security} {recipe.suite}-security {components}")
    return lines


def _mmdebstrap(recipe: Recipe, rootfs: str, lines: list[str], settings: str) -> list[str]:
    argv = ["mmdebstrap", "--mode=root", "--format=directory", f"--variant={recipe.variant}",
            f"--architectures={recipe.architecture}", f"--components={','.join(recipe.components or ())}",
            f"--aptopt={settings}"]  # fmt: skip
    return [*argv, *_common(recipe), f"{recipe.suite}", rootfs, *lines]


def _debootstrap(recipe: Recipe, rootfs: str, lines: list[str]) -> list[str]:
    argv = ["debootstrap", f"--arch={recipe.architecture}", f"--components={','.join(recipe.components or ())}"]
    # debootstrap's name for a system with all of priority important is no variant at all.
    if recipe.variant != "important":
        argv.append(f"--variant={recipe.variant}")
    mirror = [lines[0].split()[1]] if lines else []
    return [*argv, *_common(recipe), f"{recipe.suite}", rootfs, *mirror]


def _common(recipe: Recipe) -> list[str]:
    packages = [f"--include={','.join(recipe.packages)}"] if recipe.packages else []
    return [*packages, *([f"--keyring={recipe.keyring}"] if recipe.keyring else [])]
