# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of one container from the keys of a service that describe its process, its rights and its limits.

https://github.com/compose-spec/compose-spec/blob/main/05-services.md, deploy.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...._container.spec.capabilities import parse as parse_capabilities
from ...._container.spec.container import FIELDS
from ...._container.spec.values import parse_argv
from ...._network.spec.ports import PortRange
from ..stack import check_count
from .env_file import parse_env_file
from .healthcheck import parse_healthcheck
from .mounts import check_mounts, parse_tmpfs, parse_volumes
from .node import Node, Refused, collected
from .unsupported import UNSUPPORTED, refuse_unsupported
from .update_config import UPDATE_CONFIG, parse_update_config

# A Compose file is a complete description: options of conductor_container that a service does not set have these
# values, so that a key that is removed from the file loses its effect. They are the defaults of conductor_container.
UNSET: Mapping[str, Any] = {
    "command": ["/bin/bash"], "init": False, "env": {}, "working_dir": "/", "user": "root", "groups": [],
    "timezone": "", "mounts": [],
    "userns": "auto", "dev": "private", "devices": [], "read_only": False, "capabilities": {"add": [], "drop": []},
    "privileged": False, "seccomp": "default", "no_new_privileges": False, "memory": "0", "memory_swap": "0",
    "cpus": 0.0, "cpuset": "", "pids": 2048, "ulimits": [], "oom_score_adj": 0, "sysctls": {},
    "shm_size": "64m", "stop_signal": "SIGTERM", "stop_timeout": 10.0,
    "restart_policy": "no", "restart_retries": 0, "labels": {},
}  # fmt: skip
_RESTART = re.compile(r"(?P<policy>no|always|unless-stopped|on-failure(?::(?P<retries>\d{1,9}))?)")
_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}


@dataclass(frozen=True)
class Context:
    """Values from outside of the document. `directory` is for relative paths of the host, None to refuse them.

    `read_file` returns the text of a file named in env_file, or None if it does not exist.
    """

    variables: Mapping[str, str]
    directory: str | None = None
    read_file: Callable[[str], str | None] | None = None
    problems: list[Refused] = field(default_factory=list)
    notices: list[Refused] = field(default_factory=list)


def _labels(node: Node) -> dict[str, str]:
    return {name: value or "" for name, value in node.pairs().items()}


def _devices(node: Node) -> list[str]:
    found = []
    for one in node.entries():
        if isinstance(one.value, dict):
            fields = {key: part.text() for key, part in one.fields(("source", "target", "permissions")).items()}
            source = fields.get("source", "")
            found.append(f"{source}:{fields.get('target', source)}:{fields.get('permissions', 'rwm')}")
        else:
            found.append(one.text())
    return found


def _ulimits(node: Node) -> list[str]:
    found = []
    for name, one in node.fields().items():
        if isinstance(one.value, dict):
            limits = one.fields(("soft", "hard"))
            if len(limits) < 2:
                raise one.refused("soft or hard is missing", "set both")
            found.append(f"{name}:{limits['soft'].whole()}:{limits['hard'].whole()}")
        else:
            found.append(f"{name}:{one.whole()}")
    return found


def _sysctls(node: Node) -> dict[str, str]:
    return {name: value or "" for name, value in node.pairs().items()}


def _userns(node: Node) -> str:
    if node.text() != "host":
        raise node.refused(f"{node.value!r} is not supported", "set host, or omit it")
    return "host"


# Keys that are one option of conductor_container, which also checks the value.
_OPTIONS: Mapping[str, tuple[str, Callable[[Node], Any]]] = {
    "cpus": ("cpus", Node.number),
    "cpuset": ("cpuset", lambda node: str(node.value)),
    "devices": ("devices", _devices),
    "group_add": ("groups", lambda node: [str(one.value) for one in node.entries()]),
    "hostname": ("hostname", Node.text),
    "labels": ("labels", _labels),
    "mem_limit": ("memory", lambda node: str(node.bytes())),
    "oom_score_adj": ("oom_score_adj", Node.whole),
    "pids_limit": ("pids", lambda node: max(node.whole(), 0)),
    "privileged": ("privileged", Node.boolean),
    "read_only": ("read_only", Node.boolean),
    "shm_size": ("shm_size", lambda node: str(node.bytes())),
    "stop_grace_period": ("stop_timeout", Node.seconds),
    "stop_signal": ("stop_signal", Node.text),
    "sysctls": ("sysctls", _sysctls),
    "ulimits": ("ulimits", _ulimits),
    "user": ("user", Node.text),
    "userns_mode": ("userns", _userns),
    "working_dir": ("working_dir", Node.text),
}
# Keys that are read by functions of this file, several at once, and by other files.
_TOGETHER = ("command", "entrypoint", "environment", "env_file", "restart", "memswap_limit", "cap_add", "cap_drop",
             "security_opt", "volumes", "tmpfs", "healthcheck", "scale", "expose", "container_name")  # fmt: skip
_ELSEWHERE = ("image", "depends_on", "ports", "networks", "network_mode", "mac_address", "dns", "dns_opt", "dns_search",
              "extra_hosts")  # fmt: skip
# The output of docker compose up has no counterpart.
_WITHOUT_EFFECT = ("attach",)
KEYS = frozenset({*_OPTIONS, *_TOGETHER, *_ELSEWHERE, *_WITHOUT_EFFECT, *UNSUPPORTED, "deploy"})


def parse_service(node: Node, fields: Mapping[str, Node], context: Context) -> dict[str, Any]:
    """Return the options of an entry of `containers` but for its image, network, peers and dependencies.

    `fields`: the keys of the service `node`, those of deploy by the names that they have outside of it. Errors are
    added to the context.
    """
    entry: dict[str, Any] = {}
    for key, one in fields.items():
        with collected(context.problems):
            if key in _OPTIONS:
                option, convert = _OPTIONS[key]
                entry[option] = _checked(one, option, convert(one))
            elif key in UNSUPPORTED:
                refuse_unsupported(one)
            elif key not in (*KEYS, UPDATE_CONFIG):
                raise one.unknown_key(KEYS)
    for parse in (
        _command,
        _environment,
        _restart,
        _swap,
        _capabilities,
        _security,
        _mounts,
        _healthcheck,
        _count,
        parse_update_config,
    ):
        with collected(context.problems):
            entry.update(parse(fields, context))
    name = str(node.path[-1])
    with collected(context.problems):
        if "container_name" in fields and fields["container_name"].text() != name:
            raise fields["container_name"].refused(
                "a container has the name of its service, by which others find it", "omit it, or rename the service"
            )
    with collected(context.problems):
        for one in fields["expose"].entries() if "expose" in fields else ():
            one.checked(lambda one=one: PortRange.parse(one.value), "ports")  # type: ignore[misc]
    return entry


def _checked(node: Node, option: str, value: Any) -> Any:
    """Return `value` if it is a value of an option of conductor_container."""
    parse = FIELDS[option].parse
    if parse is not None:
        node.checked(lambda: parse(value, option), option)
    return value


def _command(fields: Mapping[str, Node], context: Context) -> dict[str, Any]:
    argv: list[str] = []
    for key in ("entrypoint", "command"):
        node = fields.get(key)
        if node is not None and node.value not in ("", []):
            value = node.texts() if isinstance(node.value, list) else node.text()
            found = node.checked(lambda value=value: parse_argv(value, ""))  # type: ignore[misc]
            if not argv and found[0].startswith("-"):
                raise node.refused(
                    f"{found[0]} is not a program, and an image has no entrypoint of its own",
                    "set entrypoint, or begin the command with the program",
                )
            argv += found
    return {"command": argv} if argv else {}


def _environment(fields: Mapping[str, Node], context: Context) -> dict[str, Any]:
    found: dict[str, str] = {}
    for node in _env_files(fields):
        found.update(_env_file(node, context))
    for name, value in (fields["environment"].pairs() if "environment" in fields else {}).items():
        if value is not None:
            found[name] = value
        elif name in context.variables:
            found[name] = context.variables[name]
        else:
            # As the specification says, also if a file has it.
            found.pop(name, None)
    if found and "environment" in fields:
        _checked(fields["environment"], "env", found)
    return {"env": found} if found else {}


def _env_files(fields: Mapping[str, Node]) -> list[Node]:
    if "env_file" not in fields:
        return []
    return fields["env_file"].entries() if isinstance(fields["env_file"].value, list) else [fields["env_file"]]


def _env_file(node: Node, context: Context) -> dict[str, str]:
    fields = node.fields(("path", "required", "format")) if isinstance(node.value, dict) else {"path": node}
    if "path" not in fields:
        raise node.refused("path is missing", "set it to the path of the file")
    path, form = fields["path"].text(), fields["format"].text() if "format" in fields else ""
    if form not in ("", "raw"):
        raise fields["format"].refused(f"{form!r} is not supported", "set raw, or omit it")
    if context.read_file is None:
        raise node.refused("files are read only beside a file in src", "use src, or put the variables into environment")
    text = context.read_file(path)
    if text is None:
        if "required" in fields and not fields["required"].boolean():
            return {}
        raise fields["path"].refused(f"{path} is not a file on the controller", "create it, or set required: false")
    unset: set[str] = set()
    found = node.checked(lambda: parse_env_file(text, context.variables, unset, form == "raw"))
    for name in sorted(unset):
        context.notices.append(
            node.refused(f"variable {name} in {path} is not set, and an empty string is used", "set it in environment")
        )
    return found


def _restart(fields: Mapping[str, Node], context: Context) -> dict[str, Any]:
    if "restart" not in fields:
        return {}
    node = fields["restart"]
    found = _RESTART.fullmatch("no" if node.value is False else node.text())
    if found is None:
        raise node.refused(f"{node.value!r} is not a policy", "use no, always, on-failure[:N] or unless-stopped")
    return {
        "restart_policy": found["policy"].partition(":")[0],
        "restart_retries": int(found["retries"] or 0),
    }


def _swap(fields: Mapping[str, Node], context: Context) -> dict[str, Any]:
    if "memswap_limit" not in fields:
        return {}
    node = fields["memswap_limit"]
    if node.text() == "-1":
        return {"memory_swap": "unlimited"}
    size = node.bytes()
    if size and not 0 < (fields["mem_limit"].bytes() if "mem_limit" in fields else 0) <= size:
        raise node.refused(
            "less than the memory limit, or no such limit is set", "set it to the sum of memory and swap"
        )
    return {"memory_swap": _checked(node, "memory_swap", str(size))}


def _capabilities(fields: Mapping[str, Node], context: Context) -> dict[str, Any]:
    found = {}
    for key, part in (("cap_add", "add"), ("cap_drop", "drop")):
        if key in fields:
            names = [one.text() for one in fields[key].entries()]
            fields[key].checked(lambda names=names: parse_capabilities(names, ""))  # type: ignore[misc]
            found[part] = names
    return {"capabilities": {"add": [], "drop": [], **found}} if found else {}


def _security(fields: Mapping[str, Node], context: Context) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in fields["security_opt"].entries() if "security_opt" in fields else ():
        name, _, value = re.sub("[=:]", "\0", one.text(), count=1).partition("\0")
        if name == "no-new-privileges" and value in ("", "true", "false"):
            found["no_new_privileges"] = value != "false"
        elif name == "seccomp" and value == "unconfined":
            found["seccomp"] = value
        else:
            raise one.refused(f"{one.text()!r} is not supported", "use no-new-privileges:true or seccomp:unconfined")
    return found


def _mounts(fields: Mapping[str, Node], context: Context) -> dict[str, Any]:
    mounts = parse_volumes(fields["volumes"], context.directory, context.problems) if "volumes" in fields else []
    mounts += parse_tmpfs(fields["tmpfs"]) if "tmpfs" in fields else []
    if mounts:
        check_mounts(fields["volumes" if "volumes" in fields else "tmpfs"], mounts)
    return {"mounts": mounts} if mounts else {}


def _healthcheck(fields: Mapping[str, Node], context: Context) -> dict[str, Any]:
    return parse_healthcheck(fields["healthcheck"]) if "healthcheck" in fields else {}


def _count(fields: Mapping[str, Node], context: Context) -> dict[str, Any]:
    """Return the number of containers, or nothing for one container, which has the name of the service."""
    if "scale" not in fields or fields["scale"].whole() == 1:
        return {}
    node = fields["scale"]
    count = node.checked(lambda: check_count(node.whole()), "count")
    if count > 1:
        for key in ("hostname", "ports"):
            if key in fields:
                raise fields[key].refused(f"{count} containers cannot share it", f"omit {key}, or set replicas to 1")
    return {"count": count}


def with_deploy(fields: Mapping[str, Node], problems: list[Refused]) -> dict[str, Node]:
    """Return the keys of a service, with those of its `deploy` by the names that they have outside of it."""
    found = {key: one for key, one in fields.items() if key != "deploy"}
    if "deploy" not in fields:
        return found
    with collected(problems):
        for key, one in _deploy(fields["deploy"], problems).items():
            if key in found and found[key].value != one.value:
                problems.append(one.refused(f"{key} of the service has another value", f"omit {key}"))
            found[key] = one
    return found


def _deploy(node: Node, problems: list[Refused]) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for key, one in node.fields().items():
        with collected(problems):
            if key == "replicas":
                found["scale"] = one
            elif key == "restart_policy":
                found["restart"] = _restart_policy(one)
            elif key == "resources":
                found.update(_resources(one, problems))
            elif key == "update_config":
                found[UPDATE_CONFIG] = one
            elif key != "mode" or one.value != "replicated":
                raise one.refused(
                    "not supported", "omit it: deploy has replicas, resources.limits, restart_policy and update_config"
                )
    return found


def _resources(node: Node, problems: list[Refused]) -> dict[str, Node]:
    fields = node.fields()
    for key, one in fields.items():
        if key != "limits":
            problems.append(one.refused("not supported", "omit it, or use limits"))
    limits = fields["limits"].fields(("cpus", "memory", "pids")) if "limits" in fields else {}
    names = {"cpus": "cpus", "memory": "mem_limit", "pids": "pids_limit"}
    return {names[key]: one for key, one in limits.items()}


def _restart_policy(node: Node) -> Node:
    """Return the policy in the form of the key restart."""
    fields = node.fields()
    for key, one in fields.items():
        if key not in ("condition", "max_attempts"):
            raise one.refused("not supported", "omit it: restart_policy has condition and max_attempts")
    condition = fields["condition"].text() if "condition" in fields else "any"
    if condition not in _CONDITIONS:
        raise fields["condition"].refused(f"{condition!r} is not a condition", "use none, on-failure or any")
    policy = _CONDITIONS[condition]
    if "max_attempts" in fields:
        if policy != "on-failure":
            raise fields["max_attempts"].refused("requires the condition on-failure", "omit it")
        policy += f":{fields['max_attempts'].whole()}"
    return replace(node, value=policy)
