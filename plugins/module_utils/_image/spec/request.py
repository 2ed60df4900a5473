# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of conductor_image as users write them. recipe.py and _build/use_case.py parse them."""

from __future__ import annotations

from collections.abc import Mapping

from ..._engine.option import Option

MODULE_OPTIONS: Mapping[str, Option] = {
    "name": Option("str", ("Name of the image, 1 to 63 letters, digits, C(-), C(_) and C(.).",), required=True),
    "state": Option(
        "str",
        (
            "V(present) builds the image if it does not exist.",
            "V(absent) removes the image. It is an error if containers or other images use it.",
            "V(exported) writes the image to O(archive). It is an error if the image does not exist.",
        ),
        choices=("present", "absent", "exported"),
        default="present",
    ),
    "suite": Option(
        "str", ("Debian suite, like V(trixie). Defaults to the suite of the host if it is Debian, else to V(trixie).",)
    ),
    "mirror": Option(
        "str",
        (
            "URL of the mirror. It is the only package source of the image.",
            "Defaults to the mirror of the host's apt, with the archives for updates and security fixes that the host "
            "has, else to the default mirror of the builder.",
            "Packages are downloaded through the proxy of the host's apt or of the environment.",
            "mmdebstrap uses the logins that the host's apt has for the mirror in C(/etc/apt/auth.conf.d) or in its "
            "sources. They are never stored in the image, so a container needs its own.",
        ),
    ),
    "variant": Option(
        "str",
        (
            "Set of packages to install. Defaults to V(minbase).",
            "mmdebstrap supports V(essential), V(apt), V(minbase), V(buildd), V(important) and V(standard). "
            "debootstrap supports V(minbase), V(buildd) and V(important).",
        ),
    ),
    "architecture": Option("str", ("Debian's name of the architecture. Defaults to the architecture of the host.",)),
    "components": Option("list", ("Components of the archive. Defaults to V([main]).",), elements="str"),
    "packages": Option("list", ("Additional packages to install.",), elements="str"),
    "keyring": Option(
        "path",
        (
            "Keyring on the managed host for the verification of the archive. Defaults to the keyring of the builder.",
            "The image verifies its sources by the same keys, in a copy of the file unless the image has its own.",
            "Without a keyring, the build is an error.",
        ),
    ),
    "commands": Option(
        "list",
        (
            "Commands to run in the image in order, after the installation of the packages. A string runs in its "
            "own C(/bin/sh -e). A list is a program and its arguments.",
            "Commands run as root in a container with the default options of "
            "M(conductor.containers.conductor_container), which is removed afterward.",
            "The container has the network of O(conductor.containers.conductor_network#module:internet=true), "
            "without access to the host, to other containers, and to the metadata services of clouds.",
            "The host needs nftables and pyroute2 only if there are commands.",
            "Commands get the proxies of the host's apt and of the environment. A proxy on the host's loopback is "
            "available at the same address. Nothing else on the host is available, and neither is a mirror in a "
            "directory of the host.",
            "Services are not started.",
        ),
        elements="raw",
    ),
    "source": Option(
        "dict",
        (
            "Take the root file system from an archive, a container or another image instead of a build. Only "
            "O(commands) can be combined with it.",
            "An image from a container or another image stores only the changes, in a layer above its base image. "
            "The base image can be neither removed nor rebuilt while other images depend on it.",
        ),
        suboptions={
            "archive": Option(
                "str",
                (
                    "Path of a tar archive on the managed host, plain or compressed by gzip, xz, bzip2 or zstd.",
                    "A file with an owner above 65535 requires that "
                    "O(conductor.containers.conductor_container#module:userns) has more ids.",
                    "It is an error if the image exists with other content, unless O(force=true). If the archive no "
                    "longer exists, an existing image is left unchanged.",
                ),
            ),
            "checksum": Option("str", ("Checksum that the archive must have, V(sha256:) and 64 hexadecimal digits.",)),
            "container": Option(
                "str",
                (
                    "Name of a container that is not running. Its image is the base of the new image.",
                    "The changes in the container are copied once, with the ids that its files have inside. Later "
                    "changes do not affect the image, unless O(force=true).",
                ),
            ),
            "digest": Option(
                "str",
                (
                    "V(sha256:) and a digest of the inputs of the container, which you calculate.",
                    "If the image has this digest, the container is not needed any more. If it has another digest, "
                    "that is an error, unless O(force=true).",
                ),
            ),
            "image": Option("str", ("Name of another image, in which O(commands) are run.",)),
        },
    ),
    "builder": Option(
        "str",
        (
            "Program that builds the image. V(auto) prefers mmdebstrap if it is installed.",
            "mmdebstrap is faster, and installs security fixes that debootstrap leaves to a later C(apt upgrade).",
        ),
        choices=("auto", "debootstrap", "mmdebstrap"),
        default="auto",
    ),
    "force": Option(
        "bool",
        (
            "Rebuild or export the image even if it exists or is exported. An image in use is not rebuilt: build "
            "one under another name, and set that as O(conductor.containers.conductor_container#module:image) of "
            "its containers, with O(conductor.containers.conductor_container#module:recreate).",
            "Rebuild or remove also an image with a damaged C(image.json).",
        ),
        default=False,
    ),
    "archive": Option(
        "str",
        (
            "Path of the file to write on the managed host. Requires O(state=exported).",
            "It is an error if the file exists and is not an export of this image, unless O(force=true).",
            "The suffix V(.tar), V(.tar.gz) or V(.tar.zst) selects the compression.",
            "Exports are reproducible. The same image always results in the same bytes.",
            "Only root can read the file. Sparse files stay sparse.",
        ),
    ),
    "lock_timeout": Option(
        "float", ("Seconds to wait for another build of the same image. Defaults to V(3600) for this module.",)
    ),
}
