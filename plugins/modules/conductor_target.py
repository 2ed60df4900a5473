#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_target
short_description: Add a container to the inventory for the rest of the run
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Adds a container of the managed host to the inventory in memory, with the variables by which the connection plugin
    P(conductor.containers.conductor#connection) reaches it. Later plays, and tasks with C(delegate_to), can run in the
    container.
  - Unlike M(ansible.builtin.add_host), it runs for each host of a play, and sets the connection variables itself.
  - The connection to the managed host, and become there, are those of the task. Passwords that Ansible prompted for on
    the command line are not passed on.
  - The container need not exist yet.
  - The managed host is the host of the task. With C(delegate_to) it is the delegated host.
extends_documentation_fragment:
  - conductor.containers.settings
attributes:
  check_mode:
    support: full
    description: Can run in check mode, and adds the host in check mode, too, as the host is only in memory.
  diff_mode:
    support: none
    description: Will return details on what has changed, or would change in check mode.
  action:
    support: full
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the
      controller.
  platform:
    support: full
    platforms: posix
    description: Target OS/families that can be operated against.
  action_group:
    description: Use C(group/conductor.containers.conductor) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - conductor.containers.conductor
options:
  container:
    description: Name of the container.
    type: str
    required: true
  name:
    description:
      - Name of the host in the inventory. Defaults to the container's name, a dot, and the managed host's name.
      - It is an error if another host of the inventory has this name.
    type: str
  groups:
    description: Groups of the host, in addition to C(conductor).
    type: list
    elements: str
    default: []
seealso:
  - plugin: conductor.containers.conductor
    plugin_type: connection
  - plugin: conductor.containers.conductor
    plugin_type: inventory
  - module: ansible.builtin.add_host
"""

EXAMPLES = r"""
- name: Create containers
  hosts: fleet
  become: true
  tasks:
    - name: Build an image with systemd, and with Python for modules
      conductor.containers.conductor_image:
        name: system
        suite: trixie
        packages: [systemd-sysv, dbus, python3]

    - name: Start the container
      conductor.containers.conductor_container:
        name: web
        image: system
        init: true

    - name: Add the container to the inventory
      conductor.containers.conductor_target:
        container: web
        groups: [webservers]
      changed_when: false

- name: Configure the containers
  hosts: webservers
  roles: [nginx]
"""

RETURN = r"""
target:
  description: Name of the host in the inventory.
  returned: success
  type: str
  sample: web.alpha
add_host:
  description: Added host, with C(host_name), C(groups) and C(host_vars).
  returned: success
  type: dict
"""
