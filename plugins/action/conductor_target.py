# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_target: add a container to the inventory with its connection variables. Runs only on the controller."""

from __future__ import annotations

import re

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as core_version
from ansible_collections.conductor.containers.plugins.plugin_utils.connection_vars import (
    CONNECTION,
    host_connection_vars,
)
from ansible_collections.conductor.containers.plugins.plugin_utils.templates import IN_RESULTS

_LOCAL = ("local", "ansible.builtin.local")
_SSH = ("ssh", "ansible.builtin.ssh")
# The first release of ansible-core that ignores the key add_host of a result; its actions have a method for it.
_RESULT_IS_IGNORED = (2, 21)
# Options that all modules of the action group accept. A target does not depend on them.
_SETTINGS = {"image_dir": {"type": "path"}, "container_dir": {"type": "path"}, "lock_timeout": {"type": "float"}}


class ActionModule(ActionBase):
    """Adds a host to the inventory as ansible.builtin.add_host does, for each host of a play."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "container": {"type": "str", "required": True},
                "name": {"type": "str"},
                "groups": {"type": "list", "elements": "str", "default": []},
                **_SETTINGS,
            }
        )
        container, hostvars = arguments["container"], task_vars["hostvars"]
        managed_host = self._task.delegate_to or task_vars["inventory_hostname"]
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", container):
            raise AnsibleActionFail(f"container: {container!r} is not a valid name of a container")
        if managed_host not in hostvars:
            raise AnsibleActionFail(
                f"{managed_host}: not a host of the inventory. Delegate to a host of the inventory."
            )
        name = arguments["name"] or f"{container}.{managed_host}"
        if name in task_vars["groups"]:
            raise AnsibleActionFail(f"{name}: already a group of the inventory. Set another name.")
        if name in hostvars and not _is_target(hostvars[name], container, managed_host):
            raise AnsibleActionFail(f"{name}: already another host of the inventory. Set another name.")
        variables = {
            **self._way(managed_host, hostvars[managed_host]),
            "ansible_connection": CONNECTION,
            "conductor_container": container,
            "managed_host": managed_host,
        }
        added = {"host_name": name, "groups": ["conductor", *arguments["groups"]], "host_vars": variables}
        self._add(added)
        result.update(changed=False, target=name, add_host=added)
        # Variables given by value can contain passwords, so do not print the result with any verbosity.
        result["_ansible_verbose_override"] = not IN_RESULTS
        return result

    def _add(self, added: dict) -> None:
        """Add the host by ansible-core's method, else rely on the task's result. Raises AnsibleActionFail."""
        if hasattr(self, "add_host"):
            self.add_host(
                host_name=added["host_name"], parent_group_names=added["groups"], host_vars=added["host_vars"]
            )
        elif tuple(int(part) for part in core_version.split(".")[:2]) >= _RESULT_IS_IGNORED:
            raise AnsibleActionFail(f"ansible-core {core_version}: no known way to add a host. Use a known release.")

    def _way(self, managed_host: str, variables: dict) -> dict:
        """Return the variables for the connection to the managed host. Raises AnsibleActionFail."""
        context = self._play_context
        kind = variables.get("ansible_connection", context.connection)
        if kind not in (*_LOCAL, *_SSH):
            raise AnsibleActionFail(
                f"{managed_host}: connection {kind} cannot reach containers. Use connection ssh or local for this host."
            )
        # Keywords of a play or a task are not in its variables.
        keywords = {
            "host_become": True,
            "host_become_method": context.become_method,
            "host_become_user": context.become_user or "root",
        }
        return host_connection_vars(
            managed_host,
            {**variables, "ansible_connection": kind},
            keywords if context.become else {},
            by_value=not IN_RESULTS,
        )


def _is_target(variables: dict, container: str, managed_host: str) -> bool:
    """Return whether a host with `variables` is already this container, added by us or by the inventory plugin."""
    return (variables.get("conductor_container"), variables.get("managed_host")) == (container, managed_host)
