# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_target: a container as a host of the inventory, with the way to it. All of it happens on the controller."""

from __future__ import annotations

import re

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.conductor.containers.plugins.plugin_utils.templates import IN_RESULTS
from ansible_collections.conductor.containers.plugins.plugin_utils.way import CONNECTION, way_into

_LOCAL = ("local", "ansible.builtin.local")
_SSH = ("ssh", "ansible.builtin.ssh")


class ActionModule(ActionBase):
    """The strategy adds the host that a result names under C(add_host), as it does for ansible.builtin.add_host."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "container": {"type": "str", "required": True},
                "name": {"type": "str"},
                "groups": {"type": "list", "elements": "str", "default": []},
            }
        )
        container, managed_host = arguments["container"], task_vars["inventory_hostname"]
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,62}", container):
            raise AnsibleActionFail(f"container: {container!r} is not a container's name")
        name = arguments["name"] or f"{container}.{managed_host}"
        variables = {
            **self._way(managed_host, task_vars["hostvars"][managed_host]),
            "ansible_connection": CONNECTION,
            "conductor_container": container,
            "managed_host": managed_host,
        }
        groups = ["conductor", *arguments["groups"]]
        result.update(
            changed=False, target=name, add_host={"host_name": name, "groups": groups, "host_vars": variables}
        )
        # There may be passwords among what is given by value; no verbosity shows it then.
        result["_ansible_verbose_override"] = not IN_RESULTS
        return result

    def _way(self, managed_host: str, variables: dict) -> dict:
        """Variables by which the container's host is reached. Raises AnsibleActionFail."""
        context = self._play_context
        kind = variables.get("ansible_connection", context.connection)
        if kind not in (*_LOCAL, *_SSH):
            raise AnsibleActionFail(f"{managed_host} is reached by {kind}, its containers only by ssh or local")
        way = way_into(managed_host, {**variables, "ansible_connection": kind}, {}, by_value=not IN_RESULTS)
        if context.become:
            # The keywords of a play or a task, which are no variables.
            way.setdefault("conductor_host_become", True)
            way.setdefault("conductor_host_become_method", context.become_method)
            way.setdefault("conductor_host_become_user", context.become_user or "root")
        return way
