# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: conductor
short_description: Inventory of the containers of managed hosts
version_added: "0.1.0"
author: ["The conductor.containers authors (@conductor-containers)"]
description:
  - Queries managed hosts in parallel for their containers, and adds each container as a host that tasks reach with the
    connection plugin P(conductor.containers.conductor#connection).
  - Managed hosts are hosts of inventory sources that were read before this one, with their variables there, or
    addresses. Ansible reads the files of a directory in alphabetical order.
  - The name of the inventory file must end with C(.conductor.yml) or C(.conductor.yaml).
  - Groups are C(conductor), C(conductor_host_NAME), C(conductor_image_NAME), C(conductor_state_STATE), and
    C(conductor_label_NAME_VALUE) for each label. Characters that are not valid in names of groups become C(_).
  - Containers of M(conductor.containers.conductor_stack) are also in C(conductor_stack_STACK), and in
    C(conductor_service_STACK_ENTRY) with the key of their entry, whatever its C(count).
  - For a host that does not answer, the plugin prints a warning and keeps the containers in the cache. A host without
    an answer in the cache is queried again. The answer of each host expires on its own, after O(cache_timeout).
  - Answers are untrusted input. A container with invalid facts, or with the name of another host or group of the
    inventory, is skipped with a warning.
notes:
  - List this source after all sources with managed hosts and other hosts, so that it knows their names.
  - The variable C(conductor_facts) of a container has all known facts, C(name), C(image), C(state), C(labels),
    C(addresses), C(hostname), C(init), C(restart_policy), C(memory) and C(cpus).
  - Listing the containers of a host requires root on the host, as entering a container does.
extends_documentation_fragment:
  - conductor.containers.managed_host
  - constructed
  - inventory_cache
options:
  plugin:
    description: Name of this plugin.
    type: str
    required: true
    choices: [conductor.containers.conductor]
  hosts:
    description:
      - Patterns of hosts and groups of the inventory, like C(web:!old), or addresses of hosts that are not in the
        inventory. V(localhost) is the controller itself.
    type: list
    elements: str
    required: true
  name:
    description:
      - Template of a container's name in the inventory. Its variables are those of C(conductor_facts), and
        C(managed_host), the managed host's name in the inventory.
      - Defaults to the container's name, a dot, and the managed host's name.
    type: str
  states:
    description: States of the containers to list. Defaults to all states.
    type: list
    elements: str
    choices: [created, running, restarting, exited, stopped]
    default: []
  parallel:
    description: Maximum number of hosts to query at the same time.
    type: int
    default: 20
  timeout:
    description:
      - Seconds within which a managed host must answer, including the time to connect and to log in.
      - The variable C(ansible_timeout) of a managed host limits only the time for ssh to connect.
    type: float
    default: 30
    # Empty, because documentation is merged with ssh's option of the same name.
    cli: []
    env: []
    ini: []
    vars: []
  strict:
    description:
      - If V(true), a container for which an expression of O(compose), O(groups) or O(keyed_groups) is invalid is
        skipped with a warning. If V(false), only that expression is skipped.
    type: bool
    default: false
seealso:
  - plugin: conductor.containers.conductor
    plugin_type: connection
"""

EXAMPLES = r"""
# File fleet.conductor.yml, read after the inventory with the group web:
# `ansible-inventory -i hosts -i fleet.conductor.yml --graph`
#
# plugin: conductor.containers.conductor
# hosts: [web]
#
# Only running containers, with a group for each tier, a cache, and a host that is in no other inventory:
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

import functools
import re
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.helpers import get_group_vars
from ansible.playbook.play_context import PlayContext
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.plugins.loader import connection_loader
from ansible.utils.vars import combine_vars
from ansible_collections.conductor.containers.plugins.module_utils._engine.names import SERVICE_LABEL, STACK_LABEL
from ansible_collections.conductor.containers.plugins.module_utils._errors import one_line
from ansible_collections.conductor.containers.plugins.plugin_utils.bounded_calls import CallFailed, bounded_calls
from ansible_collections.conductor.containers.plugins.plugin_utils.connection_vars import (
    CONNECTION,
    host_connection_vars,
)
from ansible_collections.conductor.containers.plugins.plugin_utils.host_answer import (
    LONGEST,
    BadAnswer,
    parse_answer,
    parse_containers,
)
from ansible_collections.conductor.containers.plugins.plugin_utils.query_containers import query_containers
from ansible_collections.conductor.containers.plugins.plugin_utils.templates import template, untrusted

_NAME = template("{{ name }}.{{ managed_host }}")
# Names with a special meaning in Ansible.
_RESERVED = ("all", "ungrouped", *C.LOCALHOST)
# Characters of host patterns, paths, ranges and shell syntax.
_INVALID_IN_NAME = re.compile(r"[\s/\\,;&!*?~'\"<>|$`\[\]{}()#]|^[.@-]")
_LONGEST_NAME = 253


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
        # ssh has another option named timeout.
        way_options = {name: value for name, value in config.items() if name != "timeout"}
        self._asked = frozenset(hosts)
        self._added: dict[str, str] = {}
        # Errors of containers in the answer of each host.
        self._unread: dict[str, list[str]] = {}
        ways = {name: host_connection_vars(name, self._variables(name), way_options) for name in hosts}
        kept = known if cache else {}
        answers = self._ask_all({name: way for name, way in ways.items() if name not in kept}, known)
        found = {**kept, **answers}
        # A host that did not answer is not cached, so that it is asked again.
        if answers and self.get_option("cache"):
            self._cache[key] = found
        self._problems: dict[str, list[str]] = {name: [] for name in hosts}
        states = self.get_option("states")
        for name in hosts:
            for facts in found[name]["containers"] if name in found else []:
                if not states or facts["state"] in states:
                    try:
                        self._add(name, untrusted(facts), ways[name])
                    except (AnsibleError, ValueError) as error:
                        self._problems[name].append(f"{facts['name']}: {one_line(str(error), 200)}")
        self._remove_ambiguous()
        for name in hosts:
            problems = [*self._unread.get(name, []), *self._problems[name]]
            if problems:
                more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
                self.display.warning(f"{name}: skipped container {problems[0]}{more}")

    def _remove_ambiguous(self) -> None:
        """Remove containers whose name is also a group, or whose group is also a host: patterns would match both."""
        for name, managed_host in self._added.items():
            host = self.inventory.hosts[name]
            named = [group.name for group in host.get_groups() if group.name in self.inventory.hosts]
            if name in self.inventory.groups or named:
                self.inventory.remove_host(host)
                what = f"its group {named[0]} is also a host" if named else "a group has the same name"
                self._problems[managed_host].append(f"{name}: {what}")
                for group in named:
                    # remove_group takes a name before ansible-core 2.19, and a group since then.
                    if not self.inventory.groups[group].get_hosts():
                        del self.inventory.groups[group]

    def _cached(self, key: str) -> dict[str, dict]:
        """Return the valid part of the cached answers by managed host; nothing if there is no valid cache.

        Each answer has its own age: the cache plugin only knows when the last one was added.
        """
        if not self.get_option("cache"):
            return {}
        timeout = self.get_option("cache_timeout")
        # 0: answers do not expire.
        oldest = time.time() - timeout if timeout else 0
        try:
            return {
                name: {**answer, "containers": parse_containers(answer["containers"])[0]}
                for name, answer in self._cache[key].items()
                if answer["time"] >= oldest
            }
        except (KeyError, AttributeError, TypeError, BadAnswer):
            return {}

    def _ask_all(self, ways: dict[str, dict], known: dict[str, dict]) -> dict[str, dict]:
        """Return answers by managed host, with their time and containers: the new one, else the `known` one, if any."""
        calls: dict[str, Callable[[], bytes]] = {}
        failures: dict[str, CallFailed] = {}
        for name, way in ways.items():
            # Load plugins here. The child processes that query the hosts use them.
            try:
                connection = self._connection(name, way)
                python = connection.get_option("host_python")
                calls[name] = functools.partial(query_containers, connection.managed_host, python)
            except AnsibleError as error:
                failures[name] = CallFailed(str(error))
        limits = {"parallel": self.get_option("parallel"), "timeout": self.get_option("timeout"), "most": LONGEST}
        answers = {**failures, **bounded_calls(calls, **limits)}
        found: dict[str, dict] = {}
        for name in ways:
            try:
                answer = answers[name]
                if isinstance(answer, CallFailed):
                    raise answer
                containers, self._unread[name] = parse_answer(answer)
                found[name] = {"time": time.time(), "containers": containers}
            except (CallFailed, BadAnswer) as error:
                count = len(known[name]["containers"]) if name in known else 0
                kept = f"keeping {count} from the cache" if name in known else "and none are cached"
                self.display.warning(f"{name}: listing containers failed, {kept}: {one_line(str(error), 500)}")
                if name in known:
                    found[name] = known[name]
        return found

    def _connection(self, name: str, way: dict) -> Any:
        """Return our connection plugin for host `name`, with the options of a task on one of its containers."""
        variables = {**self._variables(name), "inventory_hostname": name, **self._vars}
        self.templar.available_variables = {**variables, "hostvars": {name: variables}}
        connection = connection_loader.get(CONNECTION, PlayContext())
        connection.set_options(var_options={key: self.templar.template(value) for key, value in way.items()})
        return connection

    def _managed_hosts(self) -> list[str]:
        """Return the names of the hosts to query. Raises AnsibleParserError."""
        found: dict[str, None] = {}
        for pattern in self.get_option("hosts"):
            names = self._matching(pattern)
            if not names and not re.fullmatch(r"[\w.-]+", pattern):
                raise AnsibleParserError(
                    f"hosts: {pattern!r} is not an address and matches no host of the inventory sources read before. "
                    "List those sources first: Ansible reads them in the order of -i, and directories alphabetically."
                )
            found.update(dict.fromkeys(names or [pattern]))
        return list(found)

    def _matching(self, pattern: str) -> list[str]:
        """Return the hosts that match a pattern: names, groups and wildcards, separated by : or , then :! and :&."""
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
        """Add one container to the inventory, with its groups. Raises AnsibleError, ValueError."""
        self.templar.available_variables = {**facts, "managed_host": managed_host}
        # A plain string: before ansible-core 2.19 the result would be marked as unsafe.
        name = str.__str__(str(self.templar.template(self.get_option("name") or _NAME)))
        own = {"conductor_container": facts["name"], "managed_host": managed_host}
        self._ensure_free(name, own)
        self.inventory.add_host(name)
        for key, value in {**way, "ansible_connection": CONNECTION, **own, "conductor_facts": facts}.items():
            self.inventory.set_variable(name, key, value)
        groups = [f"host_{managed_host}", f"state_{facts['state']}"]
        # A damaged container has no image and no labels.
        groups += [f"image_{facts['image']}"] if "image" in facts else []
        labels = facts.get("labels", {})
        groups += [f"label_{key}_{value}" for key, value in labels.items()]
        groups += _stack_groups(labels)
        try:
            for group in ("conductor", *(f"conductor_{group}" for group in groups)):
                self.inventory.add_child(self.inventory.add_group(self._sanitize_group_name(group)), name)
            self._construct(name)
        except (AnsibleError, ValueError):
            self.inventory.remove_host(self.inventory.hosts[name])
            raise
        self._added[name] = managed_host

    def _ensure_free(self, name: str, own: dict) -> None:
        """Raise ValueError if a container cannot have `name`. `own` are variables that identify the same container."""
        if not name or len(name) > _LONGEST_NAME or _INVALID_IN_NAME.search(name) or not name.isprintable():
            raise ValueError(f"{one_line(name, 80)!r} is not a valid name of a host")
        if (
            name in _RESERVED
            or re.fullmatch("conductor(_.*)?", name)
            or name in self.inventory.groups
            or name in self._asked
        ):
            raise ValueError(f"{name} is already the name of another host or group")
        host = self.inventory.hosts.get(name)
        if host is not None and {key: host.vars.get(key) for key in own} != own:
            raise ValueError(f"{name} is already the name of another host")

    def _construct(self, name: str) -> None:
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), self._variables(name), name, strict=strict)
        variables = self._variables(name)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)


def _stack_groups(labels: dict[str, str]) -> list[str]:
    """Return the groups of a container's stack and of its entry there, from the labels that conductor_stack sets."""
    stack, service = labels.get(STACK_LABEL), labels.get(SERVICE_LABEL)
    if not stack:
        return []
    return [f"stack_{stack}", *([f"service_{stack}_{service}"] if service else [])]
