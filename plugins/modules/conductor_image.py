#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_image
short_description: Build, import, export and remove Debian images
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Builds a Debian root file system from a mirror, or takes it from an archive, a container or another image, and
    stores it as an image for containers of M(conductor.containers.conductor_container).
  - Images are created atomically. An interrupted build leaves no incomplete image.
  - If the image exists, only the given options are compared with it. A difference is an error, unless O(force=true).
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
attributes:
  idempotent:
    support: partial
    details: ["Not with O(force=true), which builds or exports the image in each run."]
options:
  name:
    description: Name of the image, 1 to 63 letters, digits, C(-), C(_) and C(.).
    type: str
    required: true
  state:
    description:
      - V(present) builds the image if it does not exist.
      - V(absent) removes the image. It is an error if containers or other images use it.
      - V(exported) writes the image to O(archive). It is an error if the image does not exist.
    type: str
    default: present
    choices:
      - present
      - absent
      - exported
  suite:
    description: Debian suite, like V(trixie). Defaults to the suite of the host if it is Debian,
      else to V(trixie).
    type: str
  mirror:
    description:
      - URL of the mirror. It is the only package source of the image.
      - Defaults to the mirror of the host's apt, with the archives for updates and security fixes
        that the host has, else to the default mirror of the builder.
      - Packages are downloaded through the proxy of the host's apt or of the environment.
      - mmdebstrap uses the logins that the host's apt has for the mirror in C(/etc/apt/auth.conf.d)
        or in its sources. They are never stored in the image, so a container needs its own.
    type: str
  variant:
    description:
      - Set of packages to install. Defaults to V(minbase).
      - mmdebstrap supports V(essential), V(apt), V(minbase), V(buildd), V(important) and V(standard).
        debootstrap supports V(minbase), V(buildd) and V(important).
    type: str
  architecture:
    description: Debian's name of the architecture. Defaults to the architecture of the host.
    type: str
  components:
    description: Components of the archive. Defaults to V([main]).
    type: list
    elements: str
  packages:
    description: Additional packages to install.
    type: list
    elements: str
  keyring:
    description:
      - Keyring on the managed host for the verification of the archive. Defaults to the keyring
        of the builder.
      - The image verifies its sources by the same keys, in a copy of the file unless the image
        has its own.
      - Without a keyring, the build is an error.
    type: path
  commands:
    description:
      - Commands to run in the image in order, after the installation of the packages. A string
        runs in its own C(/bin/sh -e). A list is a program and its arguments.
      - Commands run as root in a container with the default options of M(conductor.containers.conductor_container),
        which is removed afterward.
      - The container has the network of O(conductor.containers.conductor_network#module:internet=true),
        without access to the host, to other containers, and to the metadata services of clouds.
      - The host needs nftables and pyroute2 only if there are commands.
      - Commands get the proxies of the host's apt and of the environment. A proxy on the host's
        loopback is available at the same address. Nothing else on the host is available, and neither
        is a mirror in a directory of the host.
      - Services are not started.
    type: list
    elements: raw
  source:
    description:
      - Take the root file system from an archive, a container or another image instead of a build.
        Only O(commands) can be combined with it.
      - An image from a container or another image stores only the changes, in a layer above its
        base image. The base image can be neither removed nor rebuilt while other images depend
        on it.
    type: dict
    suboptions:
      archive:
        description:
          - Path of a tar archive on the managed host, plain or compressed by gzip, xz, bzip2 or
            zstd.
          - A file with an owner above 65535 requires that O(conductor.containers.conductor_container#module:userns)
            has more ids.
          - It is an error if the image exists with other content, unless O(force=true). If the
            archive no longer exists, an existing image is left unchanged.
        type: str
      checksum:
        description: Checksum that the archive must have, V(sha256:) and 64 hexadecimal digits.
        type: str
      container:
        description:
          - Name of a container that is not running. Its image is the base of the new image.
          - The changes in the container are copied once, with the ids that its files have inside.
            Later changes do not affect the image, unless O(force=true).
        type: str
      digest:
        description:
          - V(sha256:) and a digest of the inputs of the container, which you calculate.
          - If the image has this digest, the container is not needed any more. If it has another
            digest, that is an error, unless O(force=true).
        type: str
      image:
        description: Name of another image, in which O(commands) are run.
        type: str
  builder:
    description:
      - Program that builds the image. V(auto) prefers mmdebstrap if it is installed.
      - mmdebstrap is faster, and installs security fixes that debootstrap leaves to a later C(apt
        upgrade).
    type: str
    default: auto
    choices:
      - auto
      - debootstrap
      - mmdebstrap
  force:
    description:
      - 'Rebuild or export the image even if it exists or is exported. An image in use is not rebuilt:
        build one under another name, and set that as O(conductor.containers.conductor_container#module:image)
        of its containers, with O(conductor.containers.conductor_container#module:recreate).'
      - Rebuild or remove also an image with a damaged C(image.json).
    type: bool
    default: false
  archive:
    description:
      - Path of the file to write on the managed host. Requires O(state=exported).
      - It is an error if the file exists and is not an export of this image, unless O(force=true).
      - The suffix V(.tar), V(.tar.gz) or V(.tar.zst) selects the compression.
      - Exports are reproducible. The same image always results in the same bytes.
      - Only root can read the file. Sparse files stay sparse.
    type: str
  lock_timeout:
    description: Seconds to wait for another build of the same image. Defaults to V(3600) for this
      module.
    type: float
seealso:
  - module: conductor.containers.conductor_container
  - module: conductor.containers.conductor_image_info
"""

EXAMPLES = r"""
- name: Build a small Debian image
  conductor.containers.conductor_image:
    name: debian
    suite: trixie

- name: Build an image with a web server
  conductor.containers.conductor_image:
    name: web
    suite: trixie
    packages: [nginx-light, iproute2]
    commands:
      - rm /etc/nginx/sites-enabled/default
      - [useradd, --system, --comment, "The shop's own user", shop]

- name: Export the image to a file
  conductor.containers.conductor_image:
    name: web
    state: exported
    archive: /srv/web.tar.zst

- name: Import an image from a file
  conductor.containers.conductor_image:
    name: web-copy
    source:
      archive: /srv/web.tar.zst

- name: Run commands in a new layer on another image
  conductor.containers.conductor_image:
    name: shop
    source:
      image: web
    commands:
      - apt-get update && apt-get install -y --no-install-recommends php-fpm && apt-get clean

- name: Create an image from a stopped container
  conductor.containers.conductor_image:
    name: golden
    source:
      container: template

- name: Remove the image
  conductor.containers.conductor_image:
    name: web-copy
    state: absent
"""

RETURN = r"""
actions:
  description: Actions in order, in check mode the actions that would be taken.
  returned: success
  type: list
  elements: str
  sample: [build image debian]
image:
  description: The image after the run. Null if it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the image.
      type: str
      returned: always
    id:
      description: Id of this build of the image.
      type: str
      returned: always
    created:
      description: Time of the build in UTC.
      type: str
      returned: always
    recipe:
      description: Options of the build including defaults. C(image) also has suite, variant and architecture directly.
      type: dict
      returned: always
    builder:
      description: Builder or kind of source, V(mmdebstrap), V(debootstrap), V(archive), V(container) or V(image).
      type: str
      returned: always
    size:
      description: Bytes on disk, without the base image.
      type: int
      returned: always
    path:
      description: Directory of the root file system on the host, or of the layer above the base image.
      type: str
      returned: always
    base:
      description: C(name) and C(id) of the base image. Null if there is no base image.
      type: dict
      returned: always
    used_by:
      description: Names of the containers that use the image.
      type: list
      elements: str
      returned: always
    base_of:
      description: Names of the images based on the image.
      type: list
      elements: str
      returned: always
archive:
  description: Path of the exported file.
  returned: success, with O(state=exported)
  type: str
log:
  description: Path of the log of the build, C(.logs/NAME.log) in O(image_dir). The next build overwrites it.
  returned: if the build failed
  type: str
log_tail:
  description: End of the log.
  returned: if the build failed
  type: str
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module

# Generated by script/generate, from module_utils/_image/spec.
ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent", "exported"]},
    "suite": {"type": "str"},
    "mirror": {"type": "str"},
    "variant": {"type": "str"},
    "architecture": {"type": "str"},
    "components": {"type": "list", "elements": "str"},
    "packages": {"type": "list", "elements": "str"},
    "keyring": {"type": "path"},
    "commands": {"type": "list", "elements": "raw"},
    "source": {
        "type": "dict",
        "options": {
            "archive": {"type": "str"},
            "checksum": {"type": "str"},
            "container": {"type": "str"},
            "digest": {"type": "str"},
            "image": {"type": "str"},
        },
    },
    "builder": {"type": "str", "default": "auto", "choices": ["auto", "debootstrap", "mmdebstrap"]},
    "force": {"type": "bool", "default": False},
    "archive": {"type": "str"},
    "lock_timeout": {"type": "float"},
}
# End of the generated part.


def main() -> None:
    run_module(ARGUMENT_SPEC, "_build.use_case:ImageCase")


if __name__ == "__main__":
    main()
