# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers of simple option values of a container. All of them raise InvalidInput."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

from ..._engine.cpu_list import parse_cpus, show_cpus
from ..._engine.sizes import parse_size
from ..._errors import InvalidInput

# Value of memory_swap without a limit.
UNLIMITED = -1
# Stands for the time zone of the host.
HOST_TIMEZONE = "host"


def parse_flag(value: object, option: str) -> bool:
    """A boolean, which Ansible has converted already."""
    return bool(value)


def parse_choice(value: str, option: str) -> str:
    """One of the option's choices, which Ansible has checked already."""
    return value


def parse_argv(value: object, option: str) -> tuple[str, ...]:
    """A command and its arguments: a list, or a string that is split as by a POSIX shell, without expansions."""
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError as error:
            raise InvalidInput(f"{option}: {value!r} cannot be split ({error})", "close the quote") from None
    elif isinstance(value, list):
        # Numbers in YAML, like a port, are accepted as arguments.
        value = [str(part) if isinstance(part, (int, float)) and not isinstance(part, bool) else part for part in value]
    if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value) or not value[0]:
        raise InvalidInput(
            f"{option}: {value!r} is not a command",
            "give a list with the program and its arguments, like ['/usr/bin/env', 'sleep', '60'], or a string",
        )
    if any("\0" in part for part in value):
        raise InvalidInput(f"{option}: has a NUL character", "leave it out")
    return tuple(value)


def parse_env(value: dict[str, Any], option: str) -> tuple[tuple[str, str], ...]:
    """Environment variables, sorted by name."""
    for name, content in value.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise InvalidInput(f"{option}: {name!r} is not the name of a variable", "use a text without = and NUL")
        if not isinstance(content, str) or "\0" in content:
            raise InvalidInput(
                f"{option}: the value of {name} is not a string", "quote it, or add the filter string to its template"
            )
    return tuple(sorted(value.items()))


def parse_labels(value: dict[str, Any], option: str) -> tuple[tuple[str, str], ...]:
    """Labels, sorted by name."""
    labels = {}
    for name, content in value.items():
        if not isinstance(name, str) or not name.isprintable() or not name.strip():
            raise InvalidInput(f"{option}: {name!r} is not the name of a label", "use printable text")
        if isinstance(content, (dict, list)) or content is None:
            raise InvalidInput(f"{option}: the value of {name} is not a string", "quote it")
        labels[name] = str(content)
    return tuple(sorted(labels.items()))


def parse_user(value: object, option: str) -> str:
    """NAME, UID, NAME:GROUP or UID:GID. Whether they exist depends on the image."""
    if not isinstance(value, str) or not re.fullmatch(
        r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?", value
    ):
        raise InvalidInput(f"{option}: {value!r} is not a user", "write NAME, UID, NAME:GROUP or UID:GID")
    return value


def parse_groups(value: list[Any], option: str) -> tuple[str, ...]:
    """Names or ids of groups, each once. Whether they exist depends on the image."""
    for group in value:
        if not isinstance(group, (str, int)) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", str(group)):
            raise InvalidInput(f"{option}: {group!r} is not a group", "use a name or a number")
    return tuple(dict.fromkeys(str(group) for group in value))


def parse_timezone(value: object, option: str) -> str:
    """A name of the tz database, or HOST_TIMEZONE. Whether it exists depends on image and host."""
    if value == "" or (isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", value)):
        return value
    raise InvalidInput(f"{option}: {value!r} is not a time zone", "use a name such as Europe/Berlin, or host")


def parse_hostname(value: object, option: str) -> str:
    """A host name: labels of letters, digits and '-' (hostname(7)), at most 64 characters (__NEW_UTS_LEN)."""
    label = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
    if not isinstance(value, str) or len(value) > 64 or not re.fullmatch(rf"{label}(?:\.{label})*", value):
        raise InvalidInput(f"{option}: {value!r} is not a host name", "use at most 64 letters, digits, '-' and '.'")
    return value


def default_hostname(name: str) -> str:
    """The host name of a container with this name: hyphens stand for characters that host names do not have."""
    labels = (re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-") for label in name.split("."))
    return ".".join(label for label in labels if label)


def parse_number(minimum: float, kind: type[int | float]) -> Callable[[object, str], float]:
    """Parser of numbers of `kind` from `minimum` up."""

    def parse(value: object, option: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not minimum <= value < 2**31:
            raise InvalidInput(f"{option}: {value!r} is not a number", f"give a number from {minimum:g} up")
        return kind(value)

    return parse


def parse_cpu_limit(value: object, option: str) -> float:
    """CPUs; 0 for no limit."""
    cpus = parse_number(0, float)(value, option)
    # The kernel's least quota is 1 ms (kernel/sched/core.c, min_cfs_quota_period), of the period of 100 ms.
    if 0 < cpus < 0.01:
        raise InvalidInput(
            f"{option}: {value!r} is less than 0.01, the least limit of the kernel", "set more, or 0 for no limit"
        )
    return cpus


def parse_cpuset(value: object, option: str) -> str:
    """Numbers of CPUs as the kernel lists them, such as 0-2,5; "" for all."""
    return show_cpus(parse_cpus(str(value), option)) if value != "" else ""


def parse_memory(value: object, option: str) -> int:
    """Bytes; 0 for no limit."""
    size = parse_size(value, option)
    # A first process needs about this much.
    if 0 < size < 1 << 20:
        raise InvalidInput(
            f"{option}: {value!r} is less than 1m, with which no container starts", "set more, or 0 for no limit"
        )
    return size


def parse_shm_size(value: object, option: str) -> int:
    """Bytes. Raises InvalidInput."""
    size = parse_size(value, option)
    if not size:
        raise InvalidInput(f"{option}: {value!r} is no size", "set at least 1")
    return size


def parse_memory_swap(value: object, option: str) -> int:
    """Bytes; 0 for no swap, UNLIMITED."""
    return UNLIMITED if value in ("unlimited", "-1") else parse_memory(value, option)
