#!/usr/bin/env python3
"""What a task in a container costs over our connection, next to the same task on the host itself over plain ssh.

usage: benchmarks/connection.py [ROUNDS]      as root

The targets take turns task by task, so that whatever else the machine does meets all of them; read the ratios. The
image is of the host's release: on both sides the same Python runs the modules. `raw` needs none, and shows the way
alone. "loaded once" is what our inventory plugin and conductor_target make of it: they load the connection plugin where
Ansible is one process yet; else each task loads it anew.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from report import show

# As users have it: compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests/integration/support"))

TASKS = 25
KINDS = {"raw": {"ansible.builtin.raw": "true"}, "ping": {"ansible.builtin.ping": {}}}
# That it is read is enough, though there is no such container.
LISTING = {"plugin": "conductor.containers.conductor", "hosts": ["ssh"], "states": ["exited"]}


def main() -> None:
    """Measure and print."""
    from controller import Controller
    from image_cache import RECIPE, mount_image, test_image
    from testhost import Host

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    with tempfile.TemporaryDirectory() as directory, Host() as host:
        mount_image(host, test_image({**RECIPE, "suite": suite}))
        host.module("conductor_container", name="box", image="debian")
        controller = Controller(Path(directory))
        managed = controller.let_in(host)
        # The last two as ours has them. The first target is not measured: what comes between two tasks falls to it.
        for name in ("first", "ssh"):
            controller.add_host(
                name, host, ansible_connection="ssh", ansible_python_interpreter="/usr/bin/python3",
                ansible_pipelining=True, ansible_ssh_use_tty=False,
            )  # fmt: skip
        controller.add("conductor", "box", ansible_user="root", **managed)
        (controller.directory / "loaded.conductor.yml").write_text(json.dumps(LISTING))
        for kind, task in KINDS.items():
            # The first time opens the connections and fills the caches.
            measure(controller, task)
            times = defaultdict(list)
            for _ in range(rounds):
                for name, found in measure(controller, task).items():
                    times[name] += found
                times["conductor, loaded once"] += measure(controller, task, "-i", "loaded.conductor.yml")["conductor"]
            show(f"a task {kind}", times, "ssh")


def measure(controller, task: dict, *options: str) -> dict[str, list[float]]:
    """Seconds that each of some tasks took, by target."""
    log = controller.directory / "results"
    log.write_text("")
    os.environ.update(
        ANSIBLE_CALLBACK_PLUGINS=str(HERE / "callback"), ANSIBLE_CALLBACKS_ENABLED="results_timed",
        ANSIBLE_FORKS="1", RESULTS_TIMED=str(log),
    )  # fmt: skip
    controller.write_play(*[task] * TASKS, hosts=["first", "ssh", "conductor"])
    controller.run("ansible-playbook", *options, "play.yml")
    results = [(name, float(when)) for name, when in (line.split() for line in log.read_text().splitlines())]
    found = defaultdict(list)
    for (_, before), (name, after) in pairwise(results):
        found[name].append(after - before)
    del found["first"]
    return found


if __name__ == "__main__":
    main()
