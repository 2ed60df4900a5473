# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of a managed host's list of containers. It is untrusted input, as the host may be compromised.

Pure. An invalid answer affects only the containers of that host, and never ends Ansible.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from typing import Any

from ansible_collections.conductor.containers.plugins.module_utils._engine.names import parse_name
from ansible_collections.conductor.containers.plugins.module_utils._errors import InvalidInput, one_line

# Maximum bytes of an answer: 10,000 containers with some labels each.
LONGEST = 16 << 20
STATES = ("created", "running", "restarting", "exited", "stopped")
_MOST_CONTAINERS = 10_000
_MOST_LABELS = 256
_MOST_ADDRESSES = 64
_LONGEST_LABEL = 256
_LONGEST_TEXT = 4096
_LARGEST = 2**63


class BadAnswer(Exception):
    """The answer as a whole is invalid; the message is the reason."""


def parse_answer(data: bytes) -> tuple[list[dict], list[str]]:
    """Return the facts of each valid container in a host's answer, and the errors of the others. Raises BadAnswer."""
    if len(data) > LONGEST:
        raise BadAnswer(f"more than {LONGEST} bytes")
    try:
        answer = json.loads(data.decode(), parse_constant=_refuse_constant, object_pairs_hook=_without_repetition)
    except RecursionError:
        raise BadAnswer("nested too deeply") from None
    except ValueError as error:
        raise BadAnswer(f"not the expected JSON ({one_line(str(error), 200)})") from None
    if not isinstance(answer, dict) or "containers" not in answer:
        raise BadAnswer("the key containers is missing")
    return parse_containers(answer["containers"])


def parse_containers(containers: Any) -> tuple[list[dict], list[str]]:
    """Do the same for a list of containers. Raises BadAnswer."""
    if not isinstance(containers, list):
        raise BadAnswer("containers is not a list")
    if len(containers) > _MOST_CONTAINERS:
        raise BadAnswer(f"more than {_MOST_CONTAINERS} containers")
    found: dict[str, dict] = {}
    problems = []
    for container in containers:
        try:
            facts = _facts(container)
            if facts["name"] in found:
                raise ValueError("listed twice")
        except (ValueError, InvalidInput) as error:
            name = container.get("name", "?") if isinstance(container, dict) else container
            problems.append(f"{one_line(str(name)[:200], 80)}: {one_line(str(error), 200)}")
        else:
            found[facts["name"]] = facts
    return list(found.values()), problems


def _facts(container: Any) -> dict:
    """Return the facts of one container without unknown keys. Raises ValueError, InvalidInput."""
    if not isinstance(container, dict):
        raise ValueError("not an object")
    facts = {key: check(container[key], key) for key, check in _CHECKS.items() if key in container}
    for key in ("name", "state"):
        if key not in facts:
            raise ValueError(f"{key} is missing")
    return facts


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{key} is not a string")
    if len(value) > _LONGEST_TEXT:
        raise ValueError(f"{key} is longer than {_LONGEST_TEXT} characters")
    # Raises ValueError for a lone surrogate, which cannot be written to a file or terminal.
    value.encode()
    return value


def _one_of(*choices: str) -> Callable[[Any, str], str]:
    def check(value: Any, key: str) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"{key} is not one of {', '.join(choices)}")
        return value

    return check


def _matching(pattern: str, most: int) -> Callable[[Any, str], str]:
    def check(value: Any, key: str) -> str:
        if len(_text(value, key)) > most or not re.fullmatch(pattern, value):
            raise ValueError(f"{key} is not valid")
        return value

    return check


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LARGEST:
        raise ValueError(f"{key} is not a number of at least 0")
    return value


def _bool(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key} is not true or false")
    return value


def _addresses(value: Any, key: str) -> list[str]:
    if not isinstance(value, list) or len(value) > _MOST_ADDRESSES:
        raise ValueError(f"{key} is not a list of at most {_MOST_ADDRESSES} addresses")
    for address in value:
        # A scope id (after %) can be any text.
        if "%" in _text(address, key):
            raise ValueError(f"{key} is not a list of addresses")
        ipaddress.ip_interface(address)
    return value


def _labels(value: Any, key: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _MOST_LABELS:
        raise ValueError(f"{key} is not an object of at most {_MOST_LABELS} labels")
    for name, content in value.items():
        _text(content, f"label {name[:80]}")
        if not name.isprintable() or not name.strip() or len(name) > _LONGEST_LABEL:
            raise ValueError("the name of a label is not valid")
    return value


# The keys that _agent/list_containers.py returns, with the grammar that modules use.
_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "name": parse_name,
    "image": parse_name,
    "state": _one_of(*STATES, "damaged"),
    "labels": _labels,
    "addresses": _addresses,
    "hostname": _matching(r"[A-Za-z0-9_.-]*", 64),
    "init": _bool,
    "restart_policy": _matching(r"[a-z-]+", 32),
    "memory": _number,
    "cpus": _number,
    "error": _text,
}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found
