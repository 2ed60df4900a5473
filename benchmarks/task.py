#!/usr/bin/env python3
"""What a task costs that has nothing to do, against `ping`: as a command of its own, and in a loop of ten.

usage: benchmarks/task.py [ROUNDS]      as root; read the ratios

Runs inside a test host whose containers are as wanted already, so the difference is our modules' payload, their import
and their look at the host. Targets take turns.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from comparison import Comparison
from report import show

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/integration/support"))

TASKS = {
    "ping": ("ansible.builtin.ping", ""),
    "conductor_container": ("conductor.containers.conductor_container", "name=web image=debian"),
    "conductor_exec": ("conductor.containers.conductor_exec", "container=web cmd=true creates=/etc"),
    "conductor_network": ("conductor.containers.conductor_network", "container=web"),
    "conductor_image": ("conductor.containers.conductor_image", "name=debian"),
}


def main() -> None:
    """Measure and print."""
    from image_cache import mount_image, test_image
    from testhost import Host

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"),
        "ANSIBLE_LOCALHOST_WARNING": "no",
        "LC_ALL": "C.UTF-8",
        "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
    }
    python = ["-e", f"ansible_python_interpreter={ROOT}/.venv/bin/python"]
    with Host() as host, tempfile.TemporaryDirectory() as directory:
        mount_image(host, test_image())
        host.module("conductor_container", name="web", image="debian")
        host.module("conductor_network", container="web")
        commands = {}
        for name, (module, arguments) in TASKS.items():
            task = {module: dict(pair.split("=") for pair in arguments.split()), "loop": "{{ range(10) | list }}"}
            play = Path(directory, f"{name}.json")
            play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
            commands[name] = (
                ["ansible", "localhost", "-m", module, "-a", arguments],
                ["ansible-playbook", "-i", "localhost,", "-c", "local", str(play)],
            )
        alone: dict[str, list[float]] = {name: [] for name in TASKS}
        in_loop: dict[str, list[float]] = {name: [] for name in TASKS}
        for number in range(rounds + 1):
            for name, both in commands.items():
                for command, times in zip(both, (alone, in_loop)):
                    begin = time.perf_counter()
                    done = host.run(*command, *python, env=environment)
                    taken = time.perf_counter() - begin
                    assert "CHANGED" not in done.stdout and "changed=1" not in done.stdout, done.stdout
                    # The first round fills the caches.
                    if number:
                        times[name].append(taken)
    show(Comparison("A whole command with nothing to do", "s", "ping", alone))
    show(Comparison("A play with a loop of ten and nothing to do", "s", "ping", in_loop))


if __name__ == "__main__":
    main()
