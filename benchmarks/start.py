"""Start, exec and stop of a container, by us and by others, on one root file system.

A start takes until the first instruction of the first process, which writes to a FIFO that is mounted into each
container. A stop takes from SIGTERM, which the process obeys, until nothing runs and the runtime has forgotten the
container. Ours is called from a Python that runs already, as a module's is, and by the host command ("conductor
start"). "userns: host" is ours without a user namespace. Others find their root file system mounted, but for "with
overlay and userns", which mounts it and makes a user namespace in the measured time, as ours does.

exec is of /bin/true in a running container: by a module that runs already, by the host command, and by the connection
plugin's way ("client").
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import runtimes
from comparison import Comparison
from on_host import measure_on_host
from options import Options
from turns import seconds, take_turns

ROOT = Path(__file__).parents[1]
COMPLETE = "with overlay and userns"


def measure(options: Options) -> Iterator[Comparison]:
    """Measure inside a test host, in a process of its own."""
    yield from measure_on_host(__file__, options.rounds)


# Tells when something was written, however late the process that asked for it comes to look.
CLOCK = "import os, time\nwhile os.read(0, 64): print(time.perf_counter(), flush=True)"


class Fifo:
    """The first process writes to it when it runs."""

    def __init__(self) -> None:
        path = f"{runtimes.BENCH}/fifo"
        os.mkfifo(path)
        # Root of another user namespace may write, too.
        os.chmod(path, 0o666)
        # Open for both, so that neither side ever waits for the other to open.
        fd = os.open(path, os.O_RDWR)
        self.clock = subprocess.Popen([sys.executable, "-c", CLOCK], stdin=fd, stdout=subprocess.PIPE, text=True)
        os.close(fd)

    def seconds_until_written(self, start: Callable[[], object]) -> float:
        """How long it takes from the call of `start` until a process writes."""
        begin = time.perf_counter()
        start()
        return float(self.clock.stdout.readline()) - begin


def inside(rounds: int) -> Iterator[Comparison]:
    """All measurements, on a test host."""
    runtimes.prepare()
    fifo = Fifo()
    contestants, left_out = make_contestants(fifo)

    def cycle(runtime: runtimes.Runtime) -> dict[str, float]:
        taken = {"start": fifo.seconds_until_written(lambda: runtime.start(runtimes.READY))}
        taken["stop"] = seconds(runtime.stop)
        runtime.clean()
        return taken

    taken = take_turns(
        rounds, {name: lambda runtime=runtime: cycle(runtime) for name, runtime in contestants.items()}, 2
    )
    yield Comparison("Start to first process", "s", "conductor", taken["start"], left_out=left_out)
    yield Comparison("Stop", "s", "conductor", taken["stop"], left_out=left_out)
    fifo.clock.kill()
    execs = make_execs(contestants)
    calls = {name: lambda call=call: {"exec": seconds(call)} for name, call in execs.items()}
    yield Comparison("Exec of /bin/true", "s", "conductor", take_turns(rounds, calls, 2)["exec"], left_out=left_out)


def make_contestants(fifo: Fifo) -> tuple[dict[str, runtimes.Runtime], dict[str, str]]:
    """Return the runtimes that work here, and for the others the reason."""
    ours = {"conductor": runtimes.Conductor(), "userns: host": runtimes.Conductor(userns="host")}
    contestants: dict[str, runtimes.Runtime] = {
        **ours,
        "conductor start": runtimes.Program(),
        "shell": runtimes.Shell(),
    }
    for runtime in contestants.values():
        if isinstance(runtime, runtimes.Conductor):
            runtime.create(runtimes.READY)
    others: dict[str, Callable[[], runtimes.Runtime]] = {"systemd-nspawn": runtimes.Nspawn, "podman": runtimes.Podman}
    for program in ("crun", "runc"):
        others[program] = lambda program=program: runtimes.OciRuntime(program)
        others[f"{program} {COMPLETE}"] = lambda program=program: runtimes.OciRuntime(program, complete=True)
    left_out = {}
    for name, make in others.items():
        try:
            runtime = make()
            fifo.seconds_until_written(lambda runtime=runtime: runtime.start(runtimes.READY))
            runtime.stop()
            runtime.clean()
            contestants[name] = runtime
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            left_out[name] = " ".join(str(error).split())
    return contestants, left_out


def make_execs(contestants: dict[str, runtimes.Runtime]) -> dict[str, Callable[[], object]]:
    """Start a container by each of `contestants` that can enter one; return what enters it."""
    from ansible_collections.conductor.containers.plugins.plugin_utils.agent_client import command_request
    from ansible_collections.conductor.containers.plugins.plugin_utils.host_bundle import install_command
    from ansible_collections.conductor.containers.plugins.plugin_utils.perl_client import Client

    execs: dict[str, Callable[[], object]] = {}
    for name, runtime in contestants.items():
        if COMPLETE in name or not hasattr(runtime, "exec"):
            continue
        if isinstance(runtime, runtimes.Conductor):
            runtime.create(runtimes.IDLE)
        runtime.start(runtimes.IDLE)
        execs["conductor exec" if name == "conductor start" else name] = runtime.exec
    put, content = install_command(sys.executable)
    subprocess.run(put, shell=True, input=content, check=True)
    client = Client(
        ["own", *command_request(contestants["conductor"].name, "root", "exec /bin/true")], sys.executable
    ).command
    # Its own streams are pipes, as those of ssh are.
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    execs["client"] = lambda: subprocess.run(client, shell=True, check=True, **pipes)
    return execs


if __name__ == "__main__":
    print(json.dumps([comparison.to_json() for comparison in inside(int(sys.argv[1]))]))
