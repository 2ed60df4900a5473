# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""conductor_container_info: the containers of a host and their resource usage."""

from __future__ import annotations

from .._engine.container_records import container_names
from .._engine.engine import Run
from .._engine.info_use_case import InfoCase, parse_names
from .._engine.settings import Settings
from .._errors import ConductorError
from .cgroup_paths import container_cgroup
from .facts import container_facts

# Network interfaces that are reported, and bytes that are read of the kernel's table of them.
_MAX_LINKS, _MAX_TABLE_BYTES = 256, 1 << 16


class ContainerInfoCase(InfoCase[list[dict]]):
    """Facts about the containers with the given names, by default about all."""

    def __init__(self, params: dict, settings: Settings) -> None:
        self.settings = settings
        self.names = parse_names(params)

    def observe(self) -> list[dict]:
        found = []
        for name in self.names or container_names(self.settings.container_dir):
            try:
                facts = container_facts(self.settings, name)
            except ConductorError as error:
                # One damaged container must not hide the others.
                facts = {"name": name, "state": "damaged", "error": str(error)}
            except OSError as error:
                facts = {"name": name, "state": "damaged", "error": f"{error.strerror} ({error.filename})"}
            if facts is not None:
                found.append({**facts, "usage": self._usage(name, facts)})
        return found

    def _usage(self, name: str, facts: dict) -> dict | None:
        if facts["state"] != "running":
            return None
        return {**container_cgroup(name).usage(), "network": _traffic(facts["pid"])}

    def result(self, observed: list[dict], run: Run[list[dict]]) -> dict:
        return {"containers": observed}


def _traffic(pid: int) -> dict[str, dict[str, int]]:
    """Bytes and packets of each network interface except lo, as seen inside (proc_pid_net(5), /proc/PID/net/dev).

    Processes inside may create any number of interfaces, with names of any bytes: bytes that are not UTF-8 are escaped.
    """
    try:
        with open(f"/proc/{pid}/net/dev", "rb") as file:
            # The last line may be truncated.
            lines = file.read(_MAX_TABLE_BYTES).split(b"\n")[2:-1]
    except OSError:
        # The container has stopped meanwhile.
        return {}
    links = {}
    for line in lines[:_MAX_LINKS]:
        link, _, numbers = line.partition(b":")
        counts = [int(number) for number in numbers.split()]
        name = link.strip(b" ").decode("utf-8", errors="backslashreplace")
        if name != "lo" and len(counts) > 9:
            links[name] = {
                "received_bytes": counts[0],
                "received_packets": counts[1],
                "sent_bytes": counts[8],
                "sent_packets": counts[9],
            }
    return links
