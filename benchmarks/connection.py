#!/usr/bin/env python3
"""What a task in a container costs over our connection, next to the same task on the host itself over plain ssh.

usage: benchmarks/connection.py [ROUNDS]      as root; podman's connection is measured where it is installed with podman

Plays of many tasks take turns in one run, on a test host that ssh reaches; read the ratios. What a play costs that has
one task is taken off, so that the start of Ansible does not count. The image is of the host's release: on both sides
the same Python runs the modules. `raw` needs none, and shows the way alone.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from pathlib import Path

from report import show

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/integration/support"))

TASKS = 25
KINDS = {"raw": {"ansible.builtin.raw": "true"}, "ping": {"ansible.builtin.ping": {}}}


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
        controller.add("conductor", "box", ansible_user="root", **managed)
        # The last two as ours has them.
        controller.add_host(
            "ssh", host, ansible_connection="ssh", ansible_python_interpreter="/usr/bin/python3",
            ansible_pipelining=True, ansible_ssh_use_tty=False,
        )  # fmt: skip
        for kind, task in KINDS.items():
            times = {name: [] for name in controller.inventory}
            for number in range(rounds + 1):
                for name in controller.inventory:
                    taken = (seconds(controller, name, task, TASKS + 1) - seconds(controller, name, task, 1)) / TASKS
                    # The first round opens the connections and fills the caches.
                    if number:
                        times[name].append(taken)
            show(f"a task {kind}, in plays of {TASKS}", times, "ssh")


def seconds(controller, target: str, task: dict, count: int) -> float:
    """How long a play of `count` tasks takes on `target`."""
    controller.write_play(*[task] * count, hosts=target)
    begin = time.perf_counter()
    controller.run("ansible-playbook", "play.yml")
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
