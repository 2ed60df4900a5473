# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user wants of one container: parsed, checked, and the same on disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from ..._engine.id_range import RANGE_KIND, IdRange, parse_userns, userns_kind
from ..._engine.names import parse_name
from ..._engine.sizes import parse_size
from ..._engine.typed_values import flag, list_of, map_of, maybe, number, object_with, one_of, text, whole, wrong
from ..._errors import Damaged, InvalidInput
from .capabilities import bounding
from .capabilities import parse as parse_capabilities
from .devices import Device, parse_devices
from .mounts import Mount, parse_mounts, parse_path
from .seccomp import parse_seccomp
from .signals import parse_signal
from .ulimits import Ulimit, parse_oom_score_adj, parse_ulimits

# As podman: enough for most, and an endless fork inside is no matter of the host's.
DEFAULT_PIDS = 2048
# Of memory_swap.
UNLIMITED = -1

# What was so before there was an option for it.
_BEFORE = {"userns": "host", "memory_swap": UNLIMITED}

# What can change while the first process runs; everything else is set when it starts.
LIVE = frozenset(
    {
        "memory",
        "memory_swap",
        "cpus",
        "pids",
        "stop_signal",
        "stop_timeout",
        "restart_policy",
        "restart_retries",
        "labels",
    }
)

# What its root file system depends on: the lower layer, and whose ids the files in the upper one have. Another value
# under the same upper layer would be neither of both.
OF_THE_ROOT = ("image", "userns")

# https://systemd.io/CONTAINER_INTERFACE: systemd as pid 1 powers off in order on SIGRTMIN+3; 34 is glibc's SIGRTMIN.
_INIT_STOP_SIGNAL = 34 + 3


@dataclass(frozen=True)
class ContainerSpec:
    """Options of one container. memory in bytes, cpus in CPUs, stop_timeout in seconds; 0 means no limit.

    memory_swap: bytes of memory and swap together, 0 for none beyond memory, UNLIMITED.
    """

    name: str
    image: str
    command: tuple[str, ...] = ("/bin/bash",)
    init: bool = False
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = "/"
    user: str = "root"
    hostname: str = ""
    mounts: tuple[Mount, ...] = ()
    userns: str | IdRange = "auto"
    dev: str = "private"
    devices: tuple[Device, ...] = ()
    read_only: bool = False
    capabilities_add: tuple[str, ...] = ()
    capabilities_drop: tuple[str, ...] = ()
    privileged: bool = False
    seccomp: str = "default"
    no_new_privileges: bool = False
    memory: int = 0
    memory_swap: int = 0
    cpus: float = 0.0
    pids: int = DEFAULT_PIDS
    ulimits: tuple[Ulimit, ...] = ()
    oom_score_adj: int = 0
    stop_signal: int = 15
    stop_timeout: float = 10.0
    restart_policy: str = "no"
    restart_retries: int = 0
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def cgroup_writable(self) -> bool:
        """Whether those inside may divide their cgroup further, as systemd does."""
        return self.init or self.privileged

    @property
    def swap(self) -> int:
        """Bytes of swap that it may use besides its memory, or UNLIMITED."""
        if not self.memory or self.memory_swap == UNLIMITED:
            return UNLIMITED
        return max(0, self.memory_swap - self.memory)

    @property
    def bounding(self) -> frozenset[str]:
        """The capabilities that those inside have at most."""
        return bounding(self.capabilities_add, self.capabilities_drop, self.privileged)

    def to_json(self) -> dict[str, Any]:
        """The form in container.json."""
        words = {name: [str(value) for value in getattr(self, name)] for name in ("devices", "ulimits")}
        return {**asdict(self), **words, "env": dict(self.env), "labels": dict(self.labels)}

    @classmethod
    def from_json(cls, value: dict[str, Any], path: str) -> ContainerSpec:
        """The spec in container.json (`path` is for the message); keys that are not the spec's are left out.

        An option that an older release did not know has its default, or what was so without it. Raises Damaged.
        """
        remedy = "restore it, or remove the container with state=absent and force=true"
        problem = wrong(value, KINDS, ("name", "image"))
        if problem:
            raise Damaged(f"{path} is damaged ({problem})", remedy)
        try:
            defaults = {field.name: field.default for field in fields(cls) if field.default is not MISSING}
            values = {field.name: value[field.name] for field in fields(cls) if field.name not in defaults}
            values.update({name: value.get(name, default) for name, default in {**defaults, **_BEFORE}.items()})
            for name in ("env", "labels"):
                values[name] = tuple(sorted(dict(values[name]).items()))
            known = {field.name for field in fields(Mount)}
            values["mounts"] = tuple(
                Mount(**{name: part for name, part in mount.items() if name in known}) for mount in values["mounts"]
            )
            values["devices"] = parse_devices(values["devices"], "devices")
            values["ulimits"] = parse_ulimits(values["ulimits"], "ulimits")
            for name in ("command", "capabilities_add", "capabilities_drop"):
                values[name] = tuple(values[name])
            if isinstance(values["userns"], dict):
                values["userns"] = IdRange(**values["userns"])
            return cls(**values)
        except (KeyError, TypeError, AttributeError, InvalidInput) as error:
            raise Damaged(f"{path} is damaged ({error})", remedy) from None

    def changed_by(self, wanted: ContainerSpec) -> list[str]:
        """Names of the options in which `wanted` differs."""
        return [field.name for field in fields(self) if getattr(self, field.name) != getattr(wanted, field.name)]


def parse_changes(params: dict[str, Any]) -> dict[str, Any]:
    """The spec's fields that `params` of the module give, checked. An option that is not given is not there.

    Raises InvalidInput.
    """
    given = {name: value for name, value in params.items() if value is not None}
    changes: dict[str, Any] = {"name": parse_name(given["name"], "name")}
    for name, parse in _PARSERS.items():
        if name in given:
            changes[name] = parse(given[name], name)
    capabilities = given.get("capabilities") or {}
    for part in ("add", "drop"):
        if capabilities.get(part) is not None:
            changes[f"capabilities_{part}"] = parse_capabilities(capabilities[part], f"capabilities.{part}")
    if changes.get("init"):
        if "command" in changes:
            raise InvalidInput("command and init exclude each other", "init boots the image's /sbin/init")
        changes["command"] = ("/sbin/init",)
        changes.setdefault("stop_signal", _INIT_STOP_SIGNAL)
    elif "init" in changes:
        changes.setdefault("command", ContainerSpec.command)
        changes.setdefault("stop_signal", ContainerSpec.stop_signal)
    return changes


def merge(old: ContainerSpec | None, changes: dict[str, Any]) -> ContainerSpec:
    """The wanted spec: `changes` over what the container has, or over the defaults. Raises InvalidInput."""
    if old is None and "image" not in changes:
        raise InvalidInput(
            f"there is no container {changes['name']!r}, and no image is given to create it from", "give image"
        )
    spec = ContainerSpec(**changes) if old is None else replace(old, **changes)
    if spec.devices and spec.dev == "host":
        raise InvalidInput("devices and dev: host exclude each other", "dev: host shows all devices of the host")
    if spec.memory_swap > 0 and not 0 < spec.memory <= spec.memory_swap:
        raise InvalidInput(
            f"memory_swap {spec.memory_swap} is less than memory, or memory has no limit",
            "give memory and swap together, or 0 for no swap",
        )
    for mount in spec.mounts:
        if mount.is_sysctl and not (spec.privileged and spec.userns == "host"):
            raise InvalidInput(
                f"mounts: target {mount.target} shows settings of the host's kernel",
                "set privileged: true and userns: host, or leave it out",
            )
    return spec if spec.hostname else replace(spec, hostname=spec.name)


def _command(value: object, option: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value) or not value[0]:
        raise InvalidInput(f"{option} must be a list with at least the program", "like ['/usr/bin/env', 'sleep', '60']")
    if any("\0" in part for part in value):
        raise InvalidInput(f"{option} has a NUL character in it")
    return tuple(value)


def parse_env(value: dict[str, Any], option: str) -> tuple[tuple[str, str], ...]:
    """Environment variables, sorted. Raises InvalidInput."""
    env = {}
    for name, content in value.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise InvalidInput(f"{option}: {name!r} cannot be the name of a variable")
        if isinstance(content, (bool, dict, list)) or content is None or "\0" in str(content):
            raise InvalidInput(f"{option}: the value of {name} is not a string", "quote it, so that YAML keeps it one")
        env[name] = str(content)
    return tuple(sorted(env.items()))


def _labels(value: dict[str, Any], option: str) -> tuple[tuple[str, str], ...]:
    labels = {}
    for name, content in value.items():
        if not isinstance(name, str) or not name.isprintable() or not name.strip():
            raise InvalidInput(f"{option}: {name!r} cannot be the name of a label", "use text that can be printed")
        if isinstance(content, (dict, list)) or content is None:
            raise InvalidInput(f"{option}: the value of {name} is not a string", "quote it, so that YAML keeps it one")
        labels[name] = str(content)
    return tuple(sorted(labels.items()))


def parse_user(value: object, option: str) -> str:
    """NAME, UID, NAME:GROUP or UID:GID; whether they exist is the image's to say. Raises InvalidInput."""
    if not isinstance(value, str) or not re.fullmatch(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?", value
    ):
        raise InvalidInput(f"{option} {value!r} is not a user", "write NAME, UID, NAME:GROUP or UID:GID")
    return value


def _hostname(value: object, option: str) -> str:
    # hostname(7): labels of letters, digits and '-'; 64 is the kernel's limit (__NEW_UTS_LEN).
    label = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
    if not isinstance(value, str) or len(value) > 64 or not re.fullmatch(rf"{label}(?:\.{label})*", value):
        raise InvalidInput(f"{option} {value!r} is not a host name", "use letters, digits, '-' and '.', at most 64")
    return value


def _number(minimum: float, kind: type[int | float]) -> Callable[[object, str], float]:
    def parse(value: object, option: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not minimum <= value < 2**31:
            raise InvalidInput(f"{option} {value!r} is not a number from {minimum:g} up")
        return kind(value)

    return parse


def _memory(value: object, option: str) -> int:
    size = parse_size(value, option)
    # The kernel itself counts in pages, and a first process needs about this much.
    if 0 < size < 1 << 20:
        raise InvalidInput(f"{option} {value!r} is below 1m, with which nothing starts", "0 lifts the limit")
    return size


def _memory_swap(value: object, option: str) -> int:
    return UNLIMITED if value in ("unlimited", "-1") else _memory(value, option)


_PARSERS: Mapping[str, Callable[[Any, str], object]] = {
    "image": parse_name,
    "command": _command,
    "init": lambda value, _option: bool(value),
    "env": parse_env,
    "working_dir": parse_path,
    "user": parse_user,
    "hostname": _hostname,
    "mounts": lambda value, _option: parse_mounts(value),
    "userns": parse_userns,
    "dev": lambda value, _option: value,
    "devices": parse_devices,
    "read_only": lambda value, _option: bool(value),
    "privileged": lambda value, _option: bool(value),
    "seccomp": parse_seccomp,
    "no_new_privileges": lambda value, _option: bool(value),
    "memory": _memory,
    "memory_swap": _memory_swap,
    "cpus": _number(0, float),
    "pids": _number(0, int),
    "ulimits": parse_ulimits,
    "oom_score_adj": parse_oom_score_adj,
    "stop_signal": parse_signal,
    "stop_timeout": _number(0, float),
    "restart_policy": lambda value, _option: value,
    "restart_retries": _number(0, int),
    "labels": _labels,
}

_MOST = (1 << 31) - 1
_MOUNT = {
    "type": one_of("bind", "tmpfs"),
    "target": text,
    "source": text,
    "read_only": flag,
    "size": whole(0),
    "idmap": flag,
}

# What container.json has, by key: the options, and what else is kept there.
KINDS = {
    "name": text, "image": text, "command": list_of(text), "init": flag, "env": map_of(text), "working_dir": text,
    "user": text, "hostname": text, "mounts": list_of(object_with(_MOUNT, ("type", "target"))),
    "userns": userns_kind, "dev": one_of("private", "host"),
    "devices": list_of(text), "read_only": flag, "capabilities_add": list_of(text), "capabilities_drop": list_of(text),
    "privileged": flag, "seccomp": text, "no_new_privileges": flag, "memory": whole(0), "cpus": number(0, _MOST),
    "pids": whole(0, _MOST), "ulimits": list_of(text), "oom_score_adj": whole(-1000, 1000), "stop_signal": whole(1, 64),
    "stop_timeout": number(0, _MOST), "restart_policy": one_of("no", "on-failure", "always"),
    "restart_retries": whole(0, _MOST), "labels": map_of(text),
    "id": text, "wanted": one_of("running", "stopped"), "ids": maybe(RANGE_KIND),
}  # fmt: skip
