#!/usr/bin/env python3
"""Processor time for each container, by the number of containers on the host, which should not matter.

usage: benchmarks/scale.py [NUMBER ...]     as root; default: 10 50 100

A stack of containers with a network, an exposed port, and the next container as their peer is created, run again,
changed in one container, updated in one (which restarts it), and removed. Each step is one task, in a test host. Read
the columns from top to bottom: flat is good. The time of a task that has nothing to do on an empty host is subtracted.
The last column is the number of things that were left, which must be 0.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/integration/support"), str(ROOT / ".venv/collections")]

STEPS = ("create", "unchanged", "one changed", "one restarted", "info", "remove")


def main() -> None:
    """Measure and print."""
    numbers = [int(text) for text in sys.argv[1:]] or [10, 50, 100]
    print(f"{'ms for each container':24}" + "".join(f"{step:>16}" for step in STEPS) + f"{'left':>8}", flush=True)
    for number in numbers:
        found, left = measure(number)
        print(f"{number:24}" + "".join(f"{found[step]:16.1f}" for step in STEPS) + f"{left:8}", flush=True)


def measure(number: int) -> tuple[dict[str, float], int]:
    """Return milliseconds of processor time for each of `number` containers, by step, and what was left."""
    from image_cache import mount_image, test_image
    from testhost import PYTHON, Host
    from turns import processor_seconds

    found: dict[str, float] = {}

    def run(module: str, changed: bool, **params: object) -> None:
        result = host.module(module, python=PYTHON, **params)
        assert result.get("changed", False) == changed, (params, result.get("actions", [])[:5])

    def step(title: str, module: str, changed: bool, **params: object) -> None:
        found[title] = 1000 * (processor_seconds(lambda: run(module, changed, **params)) - nothing) / number

    def stack(name: str, changed: bool, containers: dict, state: str = "started") -> None:
        params = {"name": "many", "defaults": defaults, "containers": containers, "state": state, "restart": True}
        step(name, "conductor_stack", changed, **params)

    defaults = {"image": "debian", "command": ["/bin/sleep", "infinity"]}
    containers = {f"c{n}": {"expose": [f"80-{20000 + n}"], "peers": [f"c{n + 1}"]} for n in range(number - 1)}
    containers[f"c{number - 1}"] = {"expose": [f"80-{20000 + number - 1}"]}
    with Host("8g") as host:
        mount_image(host, test_image())
        empty = {"name": "many", "containers": {}, "state": "absent"}
        # The first of them compiles.
        nothing = [processor_seconds(lambda: run("conductor_stack", False, **empty)) for _ in range(3)][-1]
        stack("create", True, containers)
        stack("unchanged", False, containers)
        middle = f"c{number // 2}"
        containers[middle] = {**containers[middle], "memory": "256m"}
        stack("one changed", True, containers)
        containers[middle] = {**containers[middle], "env": {"A": "1"}}
        stack("one restarted", True, containers)
        step("info", "conductor_network_info", False)
        stack("remove", True, {}, "absent")
        ls = "ls /run/netns /var/lib/conductor/containers /run/conductor/containers /sys/class/net 2>/dev/null"
        listed = host.run("sh", "-c", f"{ls} | grep -c '^c[0-9]\\|^cdtr-\\|^conductor-c'", check=False).stdout
        return found, int(listed)


if __name__ == "__main__":
    main()
