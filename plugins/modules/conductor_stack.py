#!/usr/bin/python
# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: conductor_stack
short_description: Deploy several containers, with their images, networks and peers, in one task
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Brings all containers of a stack to the requested state, in one run on the host. It observes the host once, changes
    the networks of all containers in one transaction, and starts the containers at the same time, as far as
    C(depends_on) and the CPUs of the host allow.
  - A container belongs to the stack by its label C(conductor.stack). Other containers are left alone.
  - Options of a container that are not set stay as they are, as with M(conductor.containers.conductor_container).
    Networks and peers are described completely, as with M(conductor.containers.conductor_network).
  - If some containers fail, the others go on. The task fails and names them, and the next run finishes them.
  - A run that changes something logs its progress in C(/run/conductor/stacks/NAME.log) on the host, for root only. It
    has a line with the time in UTC for each action as soon as it is finished and for each container that failed,
    between lines that begin with C(begin) and C(end). The log is removed with the stack.
notes:
  - To follow a long run, set C(async) and C(poll) of the task, and run C(tail -F /run/conductor/stacks/NAME.log) on the
    host.
extends_documentation_fragment:
  - conductor.containers.attributes
  - conductor.containers.settings
attributes:
  idempotent:
    support: partial
    details: ["Not with O(state=restarted), and O(state=started) starts commands that have exited."]
options:
  name:
    description: Name of the stack, 1 to 63 letters, digits, C(-), C(_) and C(.).
    type: str
    required: true
  state:
    description:
      - V(present) creates the containers and their networks. Containers that exist stay running
        or stopped.
      - V(started) also starts them.
      - V(restarted) starts them, after it has stopped them if they run, each time.
      - V(stopped) stops them and keeps their data, and the networks of entries that have no options
        of one.
      - V(absent) stops them and deletes them with their data. O(containers) can be omitted.
    type: str
    default: started
    choices:
      - present
      - started
      - restarted
      - stopped
      - absent
  containers:
    description:
      - The containers of the stack. Each key is the name of a container, each value has its options.
      - An entry takes the options of M(conductor.containers.conductor_container) that describe
        a container, and C(wait) and C(wait_timeout), with the same meaning.
      - C(network) is a dictionary of options of M(conductor.containers.conductor_network). C(expose)
        and C(internet) can also be set without it. A container without C(network), C(expose), C(internet)
        and C(peers) has no network.
      - 'C(peers) lists the containers that this one may call: names of entries, or of other containers
        of the host. A dictionary has the keys V(peer), V(ports), which defaults to every port,
        and V(direction). V(direction) is V(to), or for another entry of the stack V(both), which
        allows the reverse, too. The list is complete: other peers of the container are removed.'
      - 'C(depends_on) is a list of entries that are started before this one, and stopped after
        it. A dictionary adds a condition to each: V(started), V(ready) (its C(wait) has succeeded)
        or V(completed) (its command has exited with 0). Defaults to V(ready) for an entry with
        C(wait), and to V(started) for others.'
      - C(count) is the number of equal containers, called V(NAME-1), V(NAME-2) and so on. If the
        key has V({n}), the number is written there instead. C(peers) and C(depends_on) name all
        of them by the key.
      - C(update) is a dictionary. With it, running containers of the entry that must be restarted
        or created anew are replaced C(parallel) (defaults to V(1)) at a time, and each must be
        ready before the next ones follow. O(restart) and O(recreate) must allow the change as without
        it.
      - The default C(update.order) V(stop-first) stops a container before its replacement starts.
        V(start-first) first starts one more container with the new options, called V(NAME-update),
        which must be ready. New connections from peers and to exposed ports go to it while the
        others are replaced, so that none is refused. Then it is removed.
      - C(update.wait) is a command that succeeds in a container that is ready, and defaults to
        C(wait). Without both, a container is ready if it still runs after a second.
      - 'C(update.on_failure) says what happens if a container does not become ready: V(stop) (default)
        leaves the others as they are, V(rollback) also gives those that were replaced their former
        options again.'
    type: dict
    default: {}
  definition:
    description:
      - 'The containers of the stack as a document of the Compose specification, instead of O(containers).
        It is a complete description: keys that it does not have get their defaults, unless O(defaults)
        sets them.'
      - C(image) is the name of an image of the host. C(x-conductor) of a service takes the place
        of C(image) and C(build). It has the C(name) of the image and options of M(conductor.containers.conductor_image)
        to build it. C(x-conductor.images) of the document is a list of such recipes.
      - A container has the name of its service. With C(deploy.replicas) above 1 the containers
        are called V(NAME-1), V(NAME-2) and so on.
      - Services of a common network can call each other on every port. C(ports) are V(HOST:CONTAINER),
        unlike in C(expose) of O(containers), and need a host port. A service can reach the Internet
        unless all of its networks are C(internal).
      - C(healthcheck) is run until it succeeds after a start. The task fails after C(start_period)
        and C(retries) times the sum of C(interval) and C(timeout).
      - The keys C(image), C(container_name) (the name of the service), C(command), C(entrypoint),
        C(environment), C(env_file), C(healthcheck), C(restart), C(depends_on), C(volumes) (bind
        mounts and tmpfs), C(tmpfs), C(cap_add), C(cap_drop), C(security_opt), C(privileged), C(read_only),
        C(devices), C(mem_limit), C(memswap_limit), C(cpus), C(cpuset), C(pids_limit), C(ulimits),
        C(oom_score_adj), C(sysctls), C(shm_size), C(labels), C(hostname), C(user), C(group_add),
        C(userns_mode=host), C(working_dir), C(stop_signal), C(stop_grace_period), C(scale), C(ports),
        C(expose), C(networks), C(dns), C(dns_opt), C(dns_search), C(extra_hosts), C(mac_address),
        C(network_mode=none), and of C(deploy) C(replicas), C(resources.limits), C(restart_policy)
        and C(update_config) are supported. C(attach) has no effect. All others are errors that
        say what to do instead.
      - C(mode) of a tmpfs is in octal digits. Quote it, since YAML reads C(755) as a decimal number.
      - Mutually exclusive with O(containers) and O(src).
    type: dict
  src:
    description:
      - Path of a Compose file on the controller, in YAML, with the meaning of O(definition). Messages
        about it begin with the file and the line. A relative path is searched as for M(ansible.builtin.copy).
      - Files in C(env_file), and C(.env) beside the file, are read on the controller. Files that
        are encrypted by Ansible Vault are decrypted.
      - Mutually exclusive with O(containers) and O(definition).
    type: path
  environment:
    description:
      - Variables for V(${NAME}) in values of O(definition) or O(src). V($$) is a dollar sign.
      - They take precedence over those in C(.env). Variables of the controller's environment are
        not used.
    type: dict
    default: {}
  project_directory:
    description:
      - Directory of the managed host for relative paths in C(volumes) of O(definition) or O(src).
      - Defaults to the directory of O(src). Without O(src), relative paths are errors.
    type: path
  defaults:
    description:
      - Options for each entry of O(containers) that does not set them.
      - C(env) and C(labels) are merged by their keys.
    type: dict
    default: {}
  images:
    description:
      - Images to build before, each a dictionary of options of M(conductor.containers.conductor_image).
      - Images that exist as described are left alone.
      - An image in use is not built again. Give a changed recipe another name, use that in O(containers),
        and set O(recreate=true).
    type: list
    elements: dict
    default: []
  labels:
    description: Labels of all containers of the stack.
    type: dict
    default: {}
  prune:
    description:
      - Remove containers of this stack that are no longer listed, with their data.
      - V(false) keeps them, with a warning.
    type: bool
    default: false
  restart:
    description: Allow to restart running containers if a changed option requires it. They keep
      their data.
    type: bool
    default: false
  recreate:
    description: Allow to create containers anew if their image or user namespace changes. All data
      in their root file systems is lost.
    type: bool
    default: false
seealso:
  - module: conductor.containers.conductor_container
  - module: conductor.containers.conductor_network
  - module: conductor.containers.conductor_image
"""

EXAMPLES = r"""
- name: Deploy two web servers, which may call the database when it is ready
  conductor.containers.conductor_stack:
    name: shop
    defaults:
      image: debian
      restart_policy: always
      env:
        TZ: UTC
    containers:
      web:
        count: 2
        command: [sleep, infinity]
        internet: true
        peers:
          - peer: db
            direction: to
            ports: [5432/tcp]
        depends_on: [db]
      db:
        command: [sh, -c, /usr/local/bin/init-db && exec sleep infinity]
        wait: [test, -e, /var/lib/db/PG_VERSION]

- name: Keep one web server, expose it, and restart it if a changed option requires that
  conductor.containers.conductor_stack:
    name: shop
    restart: true
    prune: true
    containers:
      web:
        count: 1
        command: [sleep, infinity]
        memory: 512m
        expose: [8080-80]
        peers: [db]
        depends_on:
          db: started
      db: {}

- name: Replace the web servers of another stack one after the other, without a refused call
  conductor.containers.conductor_stack:
    name: portal
    restart: true
    recreate: true
    containers:
      portal:
        image: debian
        command: [sleep, infinity]
        wait: ["true"]
        expose: [80-8082]
        update:
          order: start-first
          on_failure: rollback

- name: Build the image first
  conductor.containers.conductor_stack:
    name: blog
    images:
      - name: nginx
        suite: trixie
        packages: [nginx]
    containers:
      blog:
        image: nginx
        command: [nginx, -g, daemon off;]
        wait: [test, -e, /run/nginx.pid]
        expose: [80-8080]

- name: Deploy a Compose file of the controller
  conductor.containers.conductor_stack:
    name: notes
    src: compose.yml
    environment:
      NOTES_PORT: "8090"

- name: Deploy a Compose document
  conductor.containers.conductor_stack:
    name: wiki
    definition:
      services:
        wiki:
          image: debian
          command: sleep infinity
          ports: ["8091:80"]
          environment:
            STORE: store:5432
          depends_on:
            store:
              condition: service_healthy
        store:
          image: debian
          command: sh -c 'touch /run/ready && exec sleep infinity'
          healthcheck:
            test: [CMD, test, -e, /run/ready]

- name: Build the images of a Compose document first
  conductor.containers.conductor_stack:
    name: site
    definition:
      services:
        site:
          # x-conductor takes the place of the image.
          image: nginx:1.27
          x-conductor: {name: site, suite: trixie, packages: [nginx]}
          entrypoint: [nginx, -g, daemon off;]
          ports: ["8092:80"]

- name: Stop all containers of the stack and keep their data
  conductor.containers.conductor_stack:
    name: shop
    state: stopped
    containers:
      web:
        count: 1
      db: {}

- name: Remove the stack with its data
  conductor.containers.conductor_stack:
    name: shop
    state: absent
"""

RETURN = r"""
actions:
  description: Actions that were done, or in check mode would be, in order.
  returned: success
  type: list
  elements: str
  sample: ["create container db from image shop", "connect db by cdtr-7bdc25d169", "start container db"]
containers:
  description: Facts about each container by name, as in RV(conductor.containers.conductor_container#module:container).
  returned: success, or if containers failed
  type: dict
  sample: {db: {name: db, state: running}}
networks:
  description: Network of each container that has one, as in RV(conductor.containers.conductor_network#module:network).
  returned: success
  type: dict
  sample: {db: {ipv4: 10.87.0.2}}
failed_containers:
  description: The reason for each container that failed, by name. The others have been brought to the requested state.
  returned: if containers failed
  type: dict
  sample: {web-1: "container web-1: the command did not start"}
"""

from ansible_collections.conductor.containers.plugins.module_utils._engine.module_adapter import run_module

# Generated by script/generate, from module_utils/_stack/spec.
ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "default": "started", "choices": ["present", "started", "restarted", "stopped", "absent"]},
    "containers": {"type": "dict", "default": {}},
    "definition": {"type": "dict"},
    "src": {"type": "path"},
    "environment": {"type": "dict", "default": {}},
    "project_directory": {"type": "path"},
    "defaults": {"type": "dict", "default": {}},
    "images": {"type": "list", "elements": "dict", "default": []},
    "labels": {"type": "dict", "default": {}},
    "prune": {"type": "bool", "default": False},
    "restart": {"type": "bool", "default": False},
    "recreate": {"type": "bool", "default": False},
}
# End of the generated part.


def main() -> None:
    run_module(ARGUMENT_SPEC, "_stack.use_case:build")


if __name__ == "__main__":
    main()
