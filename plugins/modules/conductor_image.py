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
  - Builds a full Debian root file system from a mirror, or takes one from an archive, and keeps it as an image from
    which M(conductor.containers.conductor_container) runs containers.
  - An image appears complete or not at all.
  - Only options that are given are compared with an image that exists. One that was built otherwise is an error, unless
    O(force=true).
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
attributes:
  idempotent:
    support: partial
    details: ["Not with O(force=true), which does it again each time."]
options:
  name:
    description: Name of the image, 1 to 63 letters, digits, C(-), C(_) and C(.).
    type: str
    required: true
  state:
    description:
      - V(present) builds the image where there is none.
      - V(absent) removes it, unless containers use it.
      - V(exported) writes it to O(archive). It must exist.
    type: str
    choices: [present, absent, exported]
    default: present
  suite:
    description: Debian's suite, like V(trixie). Default is the host's own where the host is Debian, else V(trixie).
    type: str
  mirror:
    description:
      - Address of the mirror, which is then the image's only one. Default is the one that the host's apt is set to,
        with its archives of updates and of security fixes; where that has none, the builder's own.
      - Packages are fetched through the proxy that the host's apt is set to, or that the environment names.
    type: str
  variant:
    description:
      - Which packages are in it to begin with. Default is V(minbase).
      - V(essential), V(apt), V(minbase), V(buildd), V(important) or V(standard) with mmdebstrap, of which debootstrap
        knows V(minbase), V(buildd) and V(important).
    type: str
  architecture:
    description: Debian's name of the architecture. Default is the host's.
    type: str
  components:
    description: Components of the archive. Default is V([main]).
    type: list
    elements: str
  packages:
    description: Packages to include.
    type: list
    elements: str
  keyring:
    description:
      - Keyring on the managed host that the archive is checked with. Defaults to that of the builder. If there is
        none, nothing is built.
    type: path
  commands:
    description:
      - Commands that are run in the image one after the other when its packages are there. A string is for its own
        C(/bin/sh -e), a list is a program and its arguments.
      - They run as root of a container that is removed after them, with the default options of
        M(conductor.containers.conductor_container). Their network is that of
        O(conductor.containers.conductor_network#module:internet=true), without access to the host, to other containers
        and to the metadata services of clouds. The host needs nftables and pyroute2 only if there are commands.
      - Proxies that the host's apt or the environment names are given to them. A proxy on the host's loopback is in
        reach at the same address. Nothing else of the host is, and no mirror in a directory of the host.
      - Services are not started.
    type: list
    elements: raw
  source:
    description:
      - Take the root file system from an archive, a container or another image instead. Excludes the options of a build
        but O(commands).
      - An image of a container or of an image is a layer on that one, its base, and has only what differs. The base can
        neither be removed nor built again as long as an image lies on it.
    type: dict
    suboptions:
      archive:
        description:
          - A tar archive on the managed host, plain or compressed by gzip, xz, bzip2 or zstd. A file in it whose owner
            is above 65535 needs a container with a larger O(conductor.containers.conductor_container#module:userns).
          - An image that was made of other content is an error, unless O(force=true). Where the archive no longer
            exists, the image is not questioned.
        type: str
      checksum:
        description: V(sha256:) and the digest that the archive must have.
        type: str
      container:
        description:
          - Name of a container that does not run. What differs in it from its image, the base, is copied once, with the
            ids that its files have inside. What it writes later does not change the image, unless O(force=true).
        type: str
      digest:
        description:
          - V(sha256:) and a digest of what went into the container, as you calculate it. An image that has it needs no
            container any more, and one that has another is an error, unless O(force=true).
        type: str
      image:
        description: Name of another image, for O(commands) to be run on.
        type: str
  builder:
    description:
      - Which program builds. V(auto) prefers mmdebstrap, where it is installed. It is the faster one, and it takes
        security fixes into the image that debootstrap leaves to a later C(apt upgrade).
    type: str
    choices: [auto, debootstrap, mmdebstrap]
    default: auto
  force:
    description:
      - Build, or export, again. An image that containers use is not built again.
      - Build again, or remove, also an image whose C(image.json) is damaged.
    type: bool
    default: false
  archive:
    description:
      - With O(state=exported), the file on the managed host to write. Its suffix, V(.tar), V(.tar.gz) or V(.tar.zst),
        tells the compression.
      - The same image always gives the same bytes. Only root may read the file. Holes of sparse files stay holes.
    type: str
  lock_timeout:
    description: Seconds to wait for another build of the same image. Default is V(3600) here.
    type: float
seealso:
  - module: conductor.containers.conductor_container
  - module: conductor.containers.conductor_image_info
"""

EXAMPLES = r"""
- name: A small Debian
  conductor.containers.conductor_image:
    name: debian
    suite: trixie

- name: One with a web server
  conductor.containers.conductor_image:
    name: web
    suite: trixie
    packages: [nginx-light, iproute2]
    commands:
      - rm /etc/nginx/sites-enabled/default
      - [adduser, --system, --gecos, "The shop's own user", shop]

- name: Carry it to a file
  conductor.containers.conductor_image:
    name: web
    state: exported
    archive: /srv/web.tar.zst

- name: And from a file
  conductor.containers.conductor_image:
    name: web-copy
    source:
      archive: /srv/web.tar.zst

- name: A layer on another image
  conductor.containers.conductor_image:
    name: shop
    source:
      image: web
    commands:
      - apt-get update && apt-get install -y --no-install-recommends php-fpm && apt-get clean

- name: An image of what was set up in a container, which is stopped for that
  conductor.containers.conductor_image:
    name: golden
    source:
      container: template

- name: Remove it
  conductor.containers.conductor_image:
    name: web-copy
    state: absent
"""

RETURN = r"""
actions:
  description: What was done, or in check mode would be done, step by step.
  returned: success
  type: list
  elements: str
  sample: [build image debian]
image:
  description: The image as it is after the module. Null where there is none.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    id:
      description: Identifies this build of it.
      type: str
      returned: always
    created:
      description: When it was built, in UTC.
      type: str
      returned: always
    recipe:
      description: All that it was built from, defaults included. Suite, variant and architecture are also beside it.
      type: dict
      returned: always
    builder:
      description: What made it, V(mmdebstrap), V(debootstrap), V(archive), V(container) or V(image).
      type: str
      returned: always
    size:
      description: Bytes on disk, without its base.
      type: int
      returned: always
    path:
      description: Its root file system on the host, or what differs in it from its base.
      type: str
      returned: always
    base:
      description: The image that it lies on, by C(name) and C(id). Null where it lies on none.
      type: dict
      returned: always
    used_by:
      description: Names of the containers that use it.
      type: list
      elements: str
      returned: always
    base_of:
      description: Names of the images that lie on it.
      type: list
      elements: str
      returned: always
archive:
  description: The file that was written.
  returned: with O(state=exported)
  type: str
log:
  description: File with all that the builder said, C(.logs/NAME.log) in O(image_dir). It stays until the next build.
  returned: when a build fails
  type: str
log_tail:
  description: The end of it.
  returned: when a build fails
  type: str
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module(
        {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent", "exported"], "default": "present"},
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
            "builder": {"type": "str", "choices": ["auto", "debootstrap", "mmdebstrap"], "default": "auto"},
            "force": {"type": "bool", "default": False},
            "archive": {"type": "str"},
        },
        "_build.use_case:ImageCase",
    )


if __name__ == "__main__":
    main()
