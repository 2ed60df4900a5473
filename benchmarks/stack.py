#!/usr/bin/env python3
"""A deployment of many containers by Ansible: one task of conductor_stack, and a loop of conductor_container.

usage: benchmarks/stack.py [COUNT ...]      as root; read the ratios

Each container has a network and an exposed port. All take turns in one run, inside a test host: created, again with
nothing to do, and removed.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from comparison import Comparison
from report import show

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/integration/support"))

COLLECTION = "conductor.containers."
SLEEP = ["/bin/sleep", "infinity"]


def plays(count: int) -> dict[str, dict[str, list[dict]]]:
    """Return the tasks of each way, by step."""
    containers = {f"c{number}": {"expose": [f"80-{20000 + number}"]} for number in range(count)}
    defaults = {"image": "debian", "command": SLEEP}
    loop = [
        {"name": name, **defaults, "network": {"expose": options["expose"]}} for name, options in containers.items()
    ]
    stack = {f"{COLLECTION}conductor_stack": {"name": "bench", "containers": containers, "defaults": defaults}}
    each = {f"{COLLECTION}conductor_container": {"_options": "{{ item }}"}, "loop": loop}
    return {
        "stack": {
            "created": [stack],
            "unchanged": [stack],
            "removed": [{f"{COLLECTION}conductor_stack": {"name": "bench", "state": "absent"}}],
        },
        "loop": {
            "created": [each],
            "unchanged": [each],
            "removed": [
                {
                    f"{COLLECTION}conductor_container": {"name": "{{ item.name }}", "state": "absent"},
                    "loop": [{"name": one["name"]} for one in loop],
                }
            ],
        },
    }


def main() -> None:
    """Measure and print."""
    from image_cache import mount_image, test_image
    from testhost import Host

    counts = [int(text) for text in sys.argv[1:]] or [1, 10, 100]
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"),
        "ANSIBLE_LOCALHOST_WARNING": "no",
        "LC_ALL": "C.UTF-8",
        "PATH": f"{ROOT}/.venv/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    with Host() as host, tempfile.TemporaryDirectory() as directory:
        mount_image(host, test_image())
        times: dict[str, dict[str, list[float]]] = {}
        for count in counts:
            for way, steps in plays(count).items():
                for step, tasks in steps.items():
                    play = Path(directory, f"{way}-{step}.json")
                    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
                    command = ["ansible-playbook", "-i", "localhost,", "-c", "local", str(play)]
                    python = ["-e", f"ansible_python_interpreter={ROOT}/.venv/bin/python"]
                    begin = time.perf_counter()
                    done = host.run(*command, *python, env=environment, timeout=1800)
                    times.setdefault(f"{count} {step}", {}).setdefault(way, []).append(time.perf_counter() - begin)
                    assert ("changed=0" in done.stdout) == (step == "unchanged"), done.stdout
    for title, ways in times.items():
        show(Comparison(title, "s", "stack", ways))


if __name__ == "__main__":
    main()
