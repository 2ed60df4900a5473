"""Containers come and go, one after another, and nothing of the host may grow.

The use cases run in one process, as in benchmarks/runtimes.py: ten thousand cycles of whole modules would take hours,
and what one process of ours leaks shows in it. A witness stays all the while: a container with a network, whose
supervisor is watched too.

What only we change is counted and must not grow at all. What the whole machine shares (memory of the kernel) goes up
and down with what else it does: it is judged by the line through all samples, and by how sure its slope is. On a busy
machine that is not very sure; what the kernel charges to the test host's own cgroup is shared with nobody.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

SAMPLES = 40
# Samples before this part of the run fill caches: negative dentries, slabs, the allocator's arenas.
WARM_UP = 0.2
# Growth that one cycle may have on top of what chance explains. Of what is counted: none that would add up to 1.
BYTES_A_CYCLE = 512
SLEEP = ["/bin/sleep", "infinity"]


def main(count: int) -> int:
    """Build the test host and run the cycles in it. Exit status: 0 where nothing grew."""
    from image_cache import mount_image, test_image
    from testhost import PYTHON, Host, module_environment

    with Host(size="256m") as host:
        mount_image(host, test_image())
        process = host.popen(PYTHON, __file__, str(count), env={**os.environ, **module_environment()})
        return process.wait()


class Cycles:
    """The use cases, and the samples of the host."""

    def __init__(self) -> None:
        from ansible_collections.conductor.containers.plugins.module_utils._container import use_case as container
        from ansible_collections.conductor.containers.plugins.module_utils._container.exec import use_case as exec_
        from ansible_collections.conductor.containers.plugins.module_utils._engine import engine as perform
        from ansible_collections.conductor.containers.plugins.module_utils._engine.settings import Settings
        from ansible_collections.conductor.containers.plugins.module_utils._network import use_case as network

        self._container, self._network, self._exec = container.ContainerCase, network.build, exec_.ExecCase
        self._perform, self._settings = perform.perform, Settings()

    def container(self, name: str, state: str, **more) -> None:
        params = {"name": name, "state": state, "wait_timeout": 60.0, **more}
        assert self._perform(self._container(params, self._settings))["changed"]

    def network(self, name: str, expose: list[str]) -> None:
        params = {"container": name, "state": "present", "internet": True, "uplink": None, "expose": expose}
        assert self._perform(self._network(params, self._settings))["changed"]

    def run(self, name: str, argv: list[str]) -> None:
        options = ("cmd", "stdin", "env", "chdir", "user", "creates", "removes", "timeout")
        params = {"container": name, "argv": argv, "detach": False, **dict.fromkeys(options)}
        assert self._perform(self._exec(params, self._settings))["stdout"] == "hello"

    def cycle(self) -> None:
        """One container's whole life."""
        self.container("cycle", "present", image="debian", command=SLEEP)
        self.network("cycle", ["80-8080", "53-5353/udp"])
        self.container("cycle", "started")
        self.run("cycle", ["/bin/sh", "-c", "echo hello | tee /tmp/file"])
        self.container("cycle", "stopped")
        self.container("cycle", "absent")
        # The first supervisor is our child here; a module ends before it, and leaves it to pid 1.
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def supervisor_pid() -> int:
    """Pid of this host's supervisor, which `witness` keeps running."""
    paths = Path("/proc").glob("[0-9]*/cmdline")
    return next(int(path.parent.name) for path in paths if path.read_bytes().endswith(b"\0supervise\0"))


def counted() -> dict[str, int]:
    """What is ours alone."""

    def lines(*argv: str) -> int:
        return len(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines())

    found = {
        "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
        "named network namespaces": len(os.listdir("/run/netns")),
        "namespaces": lines("lsns", "--noheadings"),
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),
        "links": lines("ip", "-o", "link"),
        "routes": lines("ip", "route", "show", "table", "all") + lines("ip", "-6", "route", "show", "table", "all"),
        "lines of nft": lines("nft", "list", "ruleset"),
        "cgroups": lines("find", "/sys/fs/cgroup", "-type", "d"),
        "files": lines(
            "find", "/var/lib/conductor", "/run", "-xdev", "-path", "/run/changed/*/work", "-prune", "-o", "-print"
        ),
        "descriptors of this process": len(os.listdir("/proc/self/fd")),
    }
    # Cgroups that were removed and that something in the kernel still holds (cgroup-v2.rst, cgroup.stat).
    for path in Path("/sys/fs/cgroup").rglob("conductor/cgroup.stat"):
        found["dying cgroups"] = int(path.read_text().split()[-1])
    found["descriptors of the supervisor"] = len(os.listdir(f"/proc/{supervisor_pid()}/fd"))
    found["space used (4 KiB)"] = sum(v.f_blocks - v.f_bfree for v in map(os.statvfs, ("/var/lib/conductor", "/run")))
    return found


def shared() -> dict[str, int]:
    """Bytes: memory of this process, of the supervisor and of the host; of the kernel, which the machine shares."""
    found = {}
    # Of the cgroup that all of the test host is in, with what the kernel charges to it: version 2, or version 1.
    for path in ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"):
        if os.path.exists(path):
            found["memory of the host"] = int(Path(path).read_text())
    for what, pid in (("this process", "self"), ("the supervisor", supervisor_pid())):
        status = Path(f"/proc/{pid}/status").read_text()
        found[f"memory of {what}"] = int(status.partition("VmRSS:")[2].split()[0]) * 1024
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, value, *_ = line.split()
        # What the kernel can take back at any time (reclaimable slabs, caches) is no leak; MemAvailable counts it.
        if name in ("SUnreclaim:", "KernelStack:", "PageTables:", "Percpu:"):
            found[f"kernel, {name[:-1]}"] = int(value) * 1024
        elif name == "MemAvailable:":
            found["memory not available"] = -int(value) * 1024
    return found


def slope(points: list[tuple[int, int]], drifts: bool) -> tuple[float, float]:
    """Of the line of least squares through (cycle, value): growth by cycle, and its standard error.

    The error is that of noise around the line. Where the value `drifts` (others take memory, and keep it for a while)
    it is that of noise which adds up from sample to sample, if that is more.
    """
    size = len(points)
    middle_x, middle_y = sum(x for x, _ in points) / size, sum(y for _, y in points) / size
    square = sum((x - middle_x) ** 2 for x, _ in points)
    rise = sum((x - middle_x) * (y - middle_y) for x, y in points) / square
    rest = sum((y - middle_y - rise * (x - middle_x)) ** 2 for x, y in points)
    around = (rest / (size - 2) / square) ** 0.5
    steps = [(after - before) / (x - w) for (w, before), (x, after) in zip(points, points[1:])]
    return rise, max(around, drifts and statistics.stdev(steps) / len(steps) ** 0.5)


def judge(samples: list[tuple[int, dict]], count: int, allowed: float, drifts: bool = False) -> bool:
    """Print each value at the start, in the middle and at the end, with its growth; whether none grew."""
    fine = True
    for name in samples[0][1]:
        points = [(cycle, values[name]) for cycle, values in samples if name in values]
        rise, error = slope(points, drifts)
        # Three standard errors: chance alone gets there once in 700 times.
        grows = rise - 3 * error > allowed
        fine = fine and not grows
        first, middle, last = points[0][1], points[len(points) // 2][1], points[-1][1]
        growth = f"{rise * count:+12.1f} +-{3 * error * count:10.1f} in {count} cycles"
        print(f"  {'GROWS' if grows else 'ok':6} {name:28} {first:14d} {middle:14d} {last:14d} {growth}")
    return fine


def inside(count: int) -> int:
    """All cycles, and the judgement."""
    cycles, begin = Cycles(), time.monotonic()
    cycles.container("witness", "started", image="debian", command=SLEEP)
    cycles.network("witness", ["80-8000"])
    every = max(1, count // SAMPLES)
    of_ours, of_all = [], []
    for number in range(1, count + 1):
        cycles.cycle()
        if number % every == 0 and number >= count * WARM_UP:
            of_ours.append((number, counted()))
            of_all.append((number, shared()))
        if number % max(1, count // 20) == 0:
            took = time.monotonic() - begin
            print(f"{took:7.1f} s  {number} of {count} cycles, {took / number * 1000:.0f} ms each", flush=True)
    print(f"soak: {'':28} after warm-up      in the middle       at the end")
    fine = judge(of_ours, count, 0.5 / count)
    fine = judge(of_all, count, BYTES_A_CYCLE, drifts=True) and fine
    print(f"soak: {'passed: nothing grew' if fine else 'FAILED: something grows'} in {count} cycles")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(inside(int(sys.argv[1])))
