# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables by which our connection plugin reaches the containers of a managed host of the inventory."""

from __future__ import annotations

from ansible import constants as C
from ansible.plugins.loader import connection_loader
from ansible_collections.conductor.containers.plugins.plugin_utils.templates import template

CONNECTION = "conductor.containers.conductor"
# The name under which Ansible's configuration knows the plugin. Loading it here, before Ansible forks the workers,
# saves the workers from loading it for each task.
_LOADED_AS = connection_loader.get(CONNECTION, class_only=True)._load_name
# become variables of a host as a target, and the corresponding variables of its containers. The last one wins.
_BECOME = {
    "ansible_become": "conductor_host_become",
    "ansible_become_method": "conductor_host_become_method",
    "ansible_become_user": "conductor_host_become_user",
    "ansible_become_password": "conductor_host_become_password",
    "ansible_become_pass": "conductor_host_become_password",
    "ansible_become_exe": "conductor_host_become_exe",
    "ansible_become_flags": "conductor_host_become_flags",
}


def host_connection_vars(name: str, variables: dict, options: dict, by_value: bool = False) -> dict:
    """Return variables by which the connection plugin reaches the managed host `name`, which has `variables`.

    The result refers to the host's variables by templates instead of copying them, so that secrets stay in one place;
    with `by_value` it copies them. `options` maps names of plugin options to values that apply to all hosts.
    """
    definitions = C.config.get_configuration_definitions("connection", _LOADED_AS)
    given = {
        option["vars"][-1]["name"]: options[key]
        for key, option in definitions.items()
        if key in options and option.get("vars")
    }
    passed_on = {var: var for var in C.config.get_plugin_vars("connection", _LOADED_AS)}
    ours = {
        there: variables[here] if by_value else template(f"{{{{ hostvars['{name}']['{here}'] }}}}")
        for here, there in {**_BECOME, **_become_aliases(variables, options), **passed_on}.items()
        if here in variables and here != "inventory_hostname"
    }
    is_here = variables.get("ansible_connection") in ("local", "ansible.builtin.local")
    # The order of option host (host_options.py).
    ways = [ours[key] for key in ("conductor_host", "ansible_ssh_host", "ansible_host") if key in ours]
    return {**given, **ours, "conductor_host": "localhost" if is_here else [*ways, name][0]}


def _become_aliases(variables: dict, options: dict) -> dict[str, str]:
    """Return the become variables of the host's become method, like `ansible_sudo_user`, as _BECOME.

    They take precedence over those of all methods, as in the become plugins of ansible-core.
    """
    method = options.get("host_become_method", "sudo")
    for key in ("ansible_become_method", "conductor_host_become_method"):
        method = variables.get(key, method)
    short = str(method).rpartition(".")[2]
    return {
        here.replace("ansible_become_", f"ansible_{short}_"): _BECOME[here]
        for here in ("ansible_become_user", "ansible_become_pass", "ansible_become_exe", "ansible_become_flags")
    }
