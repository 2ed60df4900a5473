#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_image_info
short_description: List the images of a host and their users
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Lists images of M(conductor.containers.conductor_image) with their sizes, dates and build options, and the
    containers and images that use them.
extends_documentation_fragment:
  - conductor.containers.attributes.info_module
  - conductor.containers.attributes
  - conductor.containers.settings
options:
  name:
    description: Names of the images to list. Names that do not exist are ignored. Defaults to all images.
    type: list
    elements: str
seealso:
  - module: conductor.containers.conductor_image
"""

EXAMPLES = r"""
- name: List all images
  conductor.containers.conductor_image_info:
  register: all

- name: Show the images without users
  ansible.builtin.debug:
    msg: "{{ all.images | rejectattr('used_by') | map(attribute='name') }}"
"""

RETURN = r"""
images:
  description:
    - One entry for each image, sorted by name, as RV(conductor.containers.conductor_image#module:image).
    - A damaged image has only C(name), C(error), C(used_by) and C(base_of).
    - If a container is damaged, so that its image is unknown, C(error) says so.
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module({"name": {"type": "list", "elements": "str"}}, "_image.info:ImageInfoCase")


if __name__ == "__main__":
    main()
