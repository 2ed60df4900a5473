"""Processor time of commands that people type: a list of the containers, and a container that is made and started.

Of the command and of the processes that it waits for, among them our agent, which the command asks. The supervisor or
monitor that keeps a container is not counted, for any of them. "python3" is an interpreter that does nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import runtimes
from comparison import Comparison
from on_host import measure_on_host
from options import Options
from turns import processor_seconds, take_turns

_LISTS = {
    "conductor": [runtimes.PROGRAM, "ps"],
    "podman": ["podman", "ps", "--all"],
    "crun": ["crun", "list"],
    "runc": ["runc", "list"],
    "python3": ["/usr/bin/python3", "-IS", "-c", "pass"],
}


def measure(options: Options) -> Iterator[Comparison]:
    """Measure inside a test host, in a process of its own."""
    yield from measure_on_host(__file__, options.rounds)


class Run(runtimes.Runtime):
    """`conductor run`, which makes the container and starts it."""

    def start(self, command: list[str]) -> None:
        self.number += 1
        subprocess.run([runtimes.PROGRAM, "run", "debian", self.name, "--", *command], check=True, capture_output=True)

    def stop(self) -> None:
        subprocess.run([runtimes.PROGRAM, "stop", "--yes", self.name], check=True, capture_output=True)


def inside(rounds: int) -> Iterator[Comparison]:
    """All measurements, on a test host."""
    runtimes.prepare()
    makers: dict[str, Callable[[], runtimes.Runtime]] = {
        "conductor": Run,
        "podman": runtimes.Podman,
        "crun": lambda: runtimes.OciRuntime("crun"),
        "runc": lambda: runtimes.OciRuntime("runc"),
    }
    contestants: dict[str, Callable[[], dict[str, float]]] = {}
    left_out: dict[str, str] = {}
    for name, make in makers.items():
        try:
            # Stays, so that there is something to list.
            make().start(runtimes.IDLE)
            runtime = make()
            contestants[name] = lambda runtime=runtime, name=name: _cycle(runtime, _LISTS[name])
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            left_out[name] = " ".join(str(error).split())
    contestants["python3"] = lambda: {"list": processor_seconds(lambda: _run(_LISTS["python3"]))}
    taken = take_turns(rounds, contestants, 2)
    title = "Processor time of the host command, "
    yield Comparison(f"{title}list of one container", "s", "conductor", taken["list"], left_out=left_out)
    yield Comparison(f"{title}run", "s", "conductor", taken["run"], left_out=left_out)


def _cycle(runtime: runtimes.Runtime, listing: list[str]) -> dict[str, float]:
    taken = {"list": _processor_seconds(lambda: _run(listing))}
    taken["run"] = _processor_seconds(lambda: runtime.start(runtimes.IDLE))
    runtime.stop()
    runtime.clean()
    return taken


def _processor_seconds(action: Callable[[], object]) -> float:
    """Also of the agent, which between two commands prepares the process that answers the next one."""
    before = _agents_seconds()
    return processor_seconds(action) + _agents_seconds() - before


def _agents_seconds() -> float:
    from ansible_collections.conductor.containers.plugins.module_utils._container.cgroup_paths import agents_cgroup

    return (agents_cgroup().usage()["cpu"] or 0) / 1e9


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    print(json.dumps([comparison.to_json() for comparison in inside(int(sys.argv[1]))]))
