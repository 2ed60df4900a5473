"""Memory of the host's processes that stay for each further idle container; those in the containers are not counted.

Pss of proc_pid_smaps(5): shared pages are divided between all processes that share them, on the whole machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import runtimes
from comparison import Comparison
from on_host import measure_on_host
from options import Options

# How many are started before the measurement begins, and in it.
BEFORE, CONTAINERS = 1, 10
# Without a change for so many seconds, processes have settled.
SETTLED, DEADLINE = 35.0, 120.0


def measure(options: Options) -> Iterator[Comparison]:
    """Measure a few times, as memory hardly varies; each contestant starts and removes its containers in each round."""
    yield from measure_on_host(__file__, max(1, options.rounds // 3))


def inside(rounds: int) -> Comparison:
    """All measurements, on a test host."""
    runtimes.prepare()
    makers: dict[str, Callable[[], runtimes.Runtime]] = {
        "conductor": runtimes.Program,
        "podman": runtimes.Podman,
        "systemd-nspawn": runtimes.Nspawn,
        "crun": lambda: runtimes.OciRuntime("crun"),
        "runc": lambda: runtimes.OciRuntime("runc"),
    }
    values: dict[str, list[float]] = {}
    left_out: dict[str, str] = {}
    for _ in range(rounds):
        for name, make in makers.items():
            if name in left_out:
                continue
            try:
                values.setdefault(name, []).append(mebibytes_each([make() for _ in range(BEFORE + CONTAINERS)]))
            except (OSError, RuntimeError) as error:
                values.pop(name, None)
                left_out[name] = " ".join(str(error).split())
    title = f"Memory for each of {CONTAINERS} further idle containers"
    return Comparison(title, "MiB", "conductor", values, left_out=left_out)


def mebibytes_each(containers: list[runtimes.Runtime]) -> float:
    """How much the host's processes grow by one of the last `containers`, which are started and removed."""
    start(containers[:BEFORE])
    before = settled_kibibytes()
    start(containers[BEFORE:])
    grown = settled_kibibytes() - before
    for container in containers:
        container.stop()
        container.clean()
    return max(0, grown) / (len(containers) - BEFORE) / 1024


def start(containers: list[runtimes.Runtime]) -> None:
    """Start containers one after the other."""
    for container in containers:
        if isinstance(container, runtimes.Conductor):
            container.create(runtimes.IDLE)
        container.start(runtimes.IDLE)


def settled_kibibytes() -> int:
    """Pss of the host's processes when it no longer changes: the supervisor becomes small by an exec after 30 s."""
    deadline, known, since = time.monotonic() + DEADLINE, -1, time.monotonic()
    while time.monotonic() < deadline:
        found = host_kibibytes()
        if found != known:
            known, since = found, time.monotonic()
        elif time.monotonic() - since > SETTLED:
            break
        time.sleep(0.5)
    return known


def host_kibibytes() -> int:
    """Pss of all processes in this one's pid namespace, without itself."""
    own, total = os.readlink("/proc/self/ns/pid"), 0
    for directory in Path("/proc").glob("[0-9]*"):
        # Any process may end meanwhile.
        with contextlib.suppress(OSError):
            if directory.name != str(os.getpid()) and os.readlink(directory / "ns/pid") == own:
                total += pss((directory / "smaps_rollup").read_text())
    return total


def pss(rollup: str) -> int:
    """KiB in the text of smaps_rollup; 0 for a kernel thread, which has none."""
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    print(json.dumps([inside(int(sys.argv[1])).to_json()]))
