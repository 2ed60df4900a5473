# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: conductor
short_description: Containers of many managed hosts as an inventory
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Asks managed hosts, all at once, for their containers, and makes each a host of the inventory that tasks reach by
    the connection plugin P(conductor.containers.conductor#connection).
  - Managed hosts are those of inventory sources that were read before this one (Ansible reads a directory in the order
    of names), with the variables that they have there, or addresses.
  - The file's name ends with C(.conductor.yml) or C(.conductor.yaml).
  - Groups are C(conductor), C(conductor_host_NAME), C(conductor_image_NAME), C(conductor_state_STATE), and
    C(conductor_label_NAME_VALUE) for each label; characters that groups cannot have become C(_).
  - A host that does not answer is a warning. What the cache has of its containers is kept.
notes:
  - All that is known of a container is in its variable C(conductor_facts). It has C(name), C(image), C(state),
    C(labels), C(addresses), C(hostname), C(init), C(restart_policy), C(memory) and C(cpus).
  - Reading a container's list takes root's rights on its host, as entering it does.
extends_documentation_fragment:
  - conductor.containers.managed_host
  - constructed
  - inventory_cache
options:
  plugin:
    description: Whose file this is.
    type: str
    required: true
    choices: [conductor.containers.conductor]
  hosts:
    description:
      - Patterns of hosts and groups that are in the inventory already, like C(web:!old), or addresses of hosts that are
        not. V(localhost) is the controller itself.
    type: list
    elements: str
    required: true
  name:
    description:
      - Template of a container's name in the inventory. It has the variables of C(conductor_facts), and
        C(managed_host), the managed host's name in the inventory.
      - Default is the container's name, a dot, and the managed host's name.
    type: str
  states:
    description: Which containers to list, by their state. All where it is empty.
    type: list
    elements: str
    choices: [created, running, restarting, exited, stopped]
    default: []
  parallel:
    description: How many hosts are asked at the same time.
    type: int
    default: 20
seealso:
  - plugin: conductor.containers.conductor
    plugin_type: connection
"""

EXAMPLES = r"""
# fleet.conductor.yml, beside an inventory that has the group web: `ansible-inventory -i inventory/ --graph`
#
# plugin: conductor.containers.conductor
# hosts: [web]
#
# Only those that run, with a group for each tier, a cache, and a host that stands in no other inventory:
plugin: conductor.containers.conductor
hosts: [web, db.example.com]
host_user: deploy
host_become: true
states: [running]
keyed_groups:
  - key: conductor_facts.labels.tier | default('none')
    prefix: tier
compose:
  ansible_python_interpreter: "'/usr/bin/python3'"
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: /var/cache/ansible
"""

import re
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Any

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.helpers import get_group_vars
from ansible.playbook.play_context import PlayContext
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.plugins.loader import connection_loader
from ansible.utils.vars import combine_vars
from ansible_collections.conductor.containers.plugins.plugin_utils.listing import list_containers
from ansible_collections.conductor.containers.plugins.plugin_utils.templates import template, untrusted
from ansible_collections.conductor.containers.plugins.plugin_utils.way import CONNECTION, way_into

_NAME = template("{{ name }}.{{ managed_host }}")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Containers as hosts."""

    NAME = CONNECTION

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith((".conductor.yml", ".conductor.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        key, hosts = self.get_cache_key(path), self._managed_hosts()
        known = self._cached(key)
        ways = {name: way_into(name, self._variables(name), config) for name in hosts}
        if cache and self.get_option("cache") and known is not None:
            found = known
        else:
            found = self._ask_all(ways, known or {})
            if self.get_option("cache"):
                self._cache[key] = found
        states = self.get_option("states")
        for name in hosts:
            for facts in found.get(name, []):
                if not states or facts["state"] in states:
                    self._add(name, untrusted(facts), ways[name])

    def _cached(self, key: str) -> dict | None:
        """What was found last time; None where nothing is known."""
        if not self.get_option("cache"):
            return None
        try:
            return self._cache[key]
        except KeyError:
            return None

    def _ask_all(self, ways: dict[str, dict], known: dict) -> dict[str, list[dict]]:
        """Containers by managed host: each host's own answer, or what is `known` of it where it has none."""
        # Plugins are loaded here, and only used in the threads.
        connections = {name: self._connection(name, way) for name, way in ways.items()}
        with ThreadPoolExecutor(max(1, self.get_option("parallel"))) as pool:
            answers = {
                name: pool.submit(list_containers, connection.managed_host, connection.get_option("host_python"))
                for name, connection in connections.items()
            }
        found = {}
        for name, answer in answers.items():
            try:
                found[name] = answer.result()
            except AnsibleError as error:
                kept = f"{len(known[name])} are kept from the cache" if name in known else "and the cache has none"
                self.display.warning(f"{name} did not tell its containers, {kept}: {error}")
                found[name] = known.get(name, [])
        return found

    def _connection(self, name: str, way: dict) -> Any:
        """Our connection plugin for `name`, as a task on one of its containers would have it."""
        variables = {**self._variables(name), "inventory_hostname": name, **self._vars}
        self.templar.available_variables = {**variables, "hostvars": {name: variables}}
        connection = connection_loader.get(CONNECTION, PlayContext())
        connection.set_options(var_options={key: self.templar.template(value) for key, value in way.items()})
        return connection

    def _managed_hosts(self) -> list[str]:
        """Names of the hosts to ask. Raises AnsibleParserError."""
        found: dict[str, None] = {}
        for pattern in self.get_option("hosts"):
            names = self._matching(pattern)
            if not names and not re.fullmatch(r"[\w.-]+", pattern):
                raise AnsibleParserError(
                    f"hosts: {pattern!r} matches no host of an inventory that was read before this one, "
                    "and is no address: Ansible reads the sources in the order of -i, and a directory by names"
                )
            found.update(dict.fromkeys(names or [pattern]))
        return list(found)

    def _matching(self, pattern: str) -> list[str]:
        """Hosts of the inventory by a pattern: names, groups and wildcards, with : or , then :! and :& between them."""
        chosen: dict[str, None] = {}
        for part in re.split("[:,]", pattern):
            names = self._members(part.lstrip("!&"))
            if part.startswith("!"):
                chosen = {name: None for name in chosen if name not in names}
            elif part.startswith("&"):
                chosen = {name: None for name in chosen if name in names}
            else:
                chosen.update(dict.fromkeys(names))
        return list(chosen)

    def _members(self, pattern: str) -> list[str]:
        groups = [group for name, group in self.inventory.groups.items() if fnmatchcase(name, pattern)]
        of_groups = [host.name for group in groups for host in group.get_hosts()]
        return list(dict.fromkeys([*of_groups, *(name for name in self.inventory.hosts if fnmatchcase(name, pattern))]))

    def _variables(self, name: str) -> dict:
        host = self.inventory.hosts.get(name)
        return {} if host is None else combine_vars(get_group_vars(host.get_groups()), host.get_vars())

    def _add(self, managed_host: str, facts: dict, way: dict) -> None:
        """Make one container a host of the inventory, with its groups."""
        self.templar.available_variables = {**facts, "managed_host": managed_host}
        # The text as such: before ansible-core 2.19 it would remember that it is made of what is not trusted.
        name = str.__str__(self.templar.template(self.get_option("name") or _NAME))
        self.inventory.add_host(name)
        own = {"conductor_container": facts["name"], "conductor_facts": facts, "managed_host": managed_host}
        for key, value in {**way, "ansible_connection": CONNECTION, **own}.items():
            self.inventory.set_variable(name, key, value)
        groups = [f"host_{managed_host}", f"state_{facts['state']}"]
        # A container that is damaged has neither.
        groups += [f"image_{facts['image']}"] if "image" in facts else []
        groups += [f"label_{key}_{value}" for key, value in facts.get("labels", {}).items()]
        for group in ("conductor", *(f"conductor_{group}" for group in groups)):
            self.inventory.add_child(self.inventory.add_group(self._sanitize_group_name(group)), name)
        self._construct(name)

    def _construct(self, name: str) -> None:
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), self._variables(name), name, strict=strict)
        variables = self._variables(name)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)
