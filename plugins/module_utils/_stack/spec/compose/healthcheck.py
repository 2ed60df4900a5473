# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health check of a service, as a command to wait for.

https://github.com/compose-spec/compose-spec/blob/main/05-services.md#healthcheck.
"""

from __future__ import annotations

from typing import Any

from .node import Node

_FIELDS = ("test", "interval", "timeout", "retries", "start_period", "start_interval", "disable")
# Defaults of docker, in seconds: https://docs.docker.com/reference/dockerfile/#healthcheck.
_INTERVAL, _TIMEOUT, _RETRIES = 30.0, 30.0, 3


def parse_healthcheck(node: Node) -> dict[str, Any]:
    """Return the options wait and wait_timeout, or nothing if the check is disabled.

    The timeout is the time after which docker reports the container as unhealthy at the latest: start_period, and
    then interval and timeout for each of the retries.
    """
    fields = node.fields(_FIELDS)
    if "disable" in fields and fields["disable"].boolean():
        return {}
    test = _test(node, fields.get("test"))
    if test is None:
        return {}
    seconds = {key: fields[key].seconds() for key in fields if key not in ("test", "retries", "disable")}
    retries = (fields["retries"].whole() if "retries" in fields else 0) or _RETRIES
    if retries < 0:
        raise fields["retries"].refused(f"{retries} is less than 0", "give the number of tries")
    once = (seconds.get("interval") or _INTERVAL) + (seconds.get("timeout") or _TIMEOUT)
    return {"wait": test, "wait_timeout": seconds.get("start_period", 0.0) + retries * once}


def _test(node: Node, test: Node | None) -> list[str] | None:
    if test is None:
        raise node.refused("test is missing, and an image has none", "set test to a command, or omit healthcheck")
    if not isinstance(test.value, list):
        return ["/bin/sh", "-c", test.text()]
    kind, *argv = test.texts() or [""]
    if kind == "NONE":
        return None
    if kind == "CMD" and argv:
        return argv
    if kind == "CMD-SHELL" and len(argv) == 1:
        return ["/bin/sh", "-c", argv[0]]
    raise test.refused(f"{test.value!r} is not a test", "write [CMD, PROGRAM, ARGUMENT, ...] or [CMD-SHELL, COMMAND]")
