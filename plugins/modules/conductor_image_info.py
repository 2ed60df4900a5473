#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_image_info
short_description: Tell which images a host has, and who uses them
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Lists images of M(conductor.containers.conductor_image) with their size, date, recipe and users.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.attributes.info_module
  - conductor.containers.settings
options:
  name:
    description: Names of the images to tell of. All where it is not given. A name that does not exist is left out.
    type: list
    elements: str
seealso:
  - module: conductor.containers.conductor_image
"""

EXAMPLES = r"""
- name: Look at all images
  conductor.containers.conductor_image_info:
  register: all

- name: Which ones nobody uses
  ansible.builtin.debug:
    msg: "{{ all.images | rejectattr('used_by') | map(attribute='name') }}"
"""

RETURN = r"""
images:
  description:
    - One entry for each image, sorted by name, as RV(conductor.containers.conductor_image#module:image).
    - One that is damaged has C(name), C(error), C(used_by) and C(base_of) only.
    - Where a container is damaged, so that nobody knows which image it uses, C(error) says so.
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module


def main() -> None:
    run_module({"name": {"type": "list", "elements": "str"}}, "_image.info:ImageInfoCase")


if __name__ == "__main__":
    main()
