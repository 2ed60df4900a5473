# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of a service that have no counterpart, each with the remedy.

https://github.com/compose-spec/compose-spec/blob/main/05-services.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from .node import Node

_NO_OPTION = "omit it: conductor_container has no such option yet"
_OMIT = "omit it"
_LIMITS = "use cpus instead"
_FILES = "copy the file with conductor_copy, or mount it from the host"

UNSUPPORTED: Mapping[str, str] = {
    "annotations": "use labels instead",
    "blkio_config": _NO_OPTION,
    "build": "set x-conductor of the service to a recipe, such as {name: app, suite: trixie, packages: [python3]}",
    "cgroup": _OMIT,
    "cgroup_parent": _OMIT,
    "configs": _FILES,
    "cpu_count": _LIMITS,
    "cpu_percent": _LIMITS,
    "cpu_period": _LIMITS,
    "cpu_quota": _LIMITS,
    "cpu_rt_period": _NO_OPTION,
    "cpu_rt_runtime": _NO_OPTION,
    "cpu_shares": _LIMITS,
    "credential_spec": _OMIT,
    "develop": _OMIT,
    "device_cgroup_rules": "list the devices in devices",
    "domainname": "write the whole name in hostname",
    "extends": "write the options in full, or share them with a YAML anchor and <<",
    "external_links": "list the container in peers of conductor_peer, in a task after this one",
    "gpus": "list the devices in devices",
    "init": "begin entrypoint with tini --, of the package tini in the image, or set init in defaults to boot systemd",
    "ipc": _OMIT,
    "isolation": _OMIT,
    "label_file": "use labels instead",
    "links": "omit it: services of a common network reach each other by their names. Set depends_on for the order",
    "logging": "omit it: output is in console.log of the container",
    "mem_reservation": _NO_OPTION,
    "mem_swappiness": _NO_OPTION,
    "models": _OMIT,
    "oom_kill_disable": "use oom_score_adj instead",
    "pid": _OMIT,
    "platform": "set architecture in x-conductor of the service",
    "post_start": "run it in a task of conductor_exec",
    "pre_start": "run it in a task of conductor_exec",
    "pre_stop": "run it in a task of conductor_exec",
    "profiles": "omit it, or move the service to a stack of its own",
    "provider": _OMIT,
    "pull_policy": "omit it: images are not pulled but built on the host",
    "pull_refresh_after": "omit it: images are not pulled but built on the host",
    "runtime": _OMIT,
    "secrets": _FILES,
    "stdin_open": "omit it, and use `conductor exec` for a terminal",
    "storage_opt": _NO_OPTION,
    "tty": "omit it, and use `conductor exec` for a terminal",
    "use_api_socket": _OMIT,
    "uts": _OMIT,
    "volumes_from": "repeat the bind mounts in volumes",
}
# Values with which a key changes nothing, besides false and empty ones.
_DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "cgroup": ("private",),
    "ipc": ("private",),
    "isolation": ("default",),
}


def refuse_unsupported(node: Node) -> None:
    """Raise Refused for a key in UNSUPPORTED, unless its value changes nothing."""
    key = str(node.path[-1])
    if node.value and node.value not in _DEFAULTS.get(key, ()) and str(node.value).lower() != "false":
        raise node.refused("not supported", UNSUPPORTED[key])
