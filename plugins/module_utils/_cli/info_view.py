# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of `conductor info`."""

from __future__ import annotations

from collections.abc import Iterable

from .._errors import printable
from .output import local_time, size


def of_host(result: dict) -> list[str]:
    """Return the lines for the host. `result` has the results of the three info modules."""
    images, containers = result["images"], result["containers"]
    running = sum(1 for one in containers if one["state"] == "running")
    container_drift = [f"{net['container']}: {text}" for net in result["networks"] for text in net["drift"]]
    return _lines({
        "images": f"{len(images)}  {_names(images)}",
        "containers": f"{len(containers)}, {running} running  {_names(containers)}",
        "networks": len(result["networks"]),
        "pools": f"{result['pools']['pool4']} {result['pools']['pool6']}",
        "drift": [*result["drift"], *container_drift],
        "blocked by": [*result["blocked_by"], *result["input_blocked_by"]],
    })  # fmt: skip


def of_container(result: dict) -> list[str]:
    """Return the lines for one container and its network."""
    import shlex

    one = result["containers"][0]
    network: dict = next(iter(result["networks"]), {})
    running = one["state"] == "running"
    about = {
        "name": one["name"],
        "state": f"running since {local_time(one['started_at'])}, pid {one['pid']}" if running else one["state"],
        "exit status": one["exit_code"],
        "image": one["image"],
        "command": shlex.join(one["command"]),
        "uses": _usage(one["usage"] or {}),
        "addresses": " ".join(one["addresses"]) or "no network",
    }
    if network.get("ipv4"):
        about["internet"] = "yes" if network["internet"] else "no"
        about["exposes"] = [_expose(entry) for entry in network["expose"]]
        about["may call"] = [_peer(entry) for entry in network["peers"]]
    about.update(drift=network.get("drift"), files=one["directory"], log=one["log_path"])
    return _lines(about)


def _lines(about: dict[str, object]) -> list[str]:
    """Return a line for each value, and for each further item of a list. Empty values are left out."""
    width = max(map(len, about)) + 2
    lines = []
    for name, value in about.items():
        values = value if isinstance(value, list) else [value]
        for index, text in enumerate(v for v in values if v not in (None, "")):
            lines.append(f"{'' if index else name + ':':{width}}{printable(str(text))}")
    return lines


def _names(entries: Iterable[dict]) -> str:
    return " ".join(entry["name"] for entry in entries)


def _usage(usage: dict) -> str:
    parts = []
    if usage.get("cpu") is not None:
        parts.append(f"{usage['cpu'] / 1e9:.1f} s of CPU")
    if usage.get("memory") is not None:
        parts.append(f"{size(usage['memory'])} of memory")
    if usage.get("pids") is not None:
        parts.append(f"{usage['pids']} process{'es' if usage['pids'] != 1 else ''}")
    return ", ".join(parts)


def _expose(entry: dict) -> str:
    where = f"{entry['host_ip']} " if entry["host_ip"] else ""
    return f"port {entry['container_port']} as the host's {where}{entry['host_port']}/{entry['protocol']}"


def _peer(entry: dict) -> str:
    return f"{entry['peer']} {' '.join(entry['ports'])}".strip()
