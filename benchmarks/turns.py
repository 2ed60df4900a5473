"""Tasks that take turns: whatever else the machine does meets all targets alike."""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

TASKS = 25


def task_seconds(controller, task: dict, targets: list[str], *options: str, on=None) -> dict[str, list[float]]:
    """Seconds that each of TASKS tasks took on each of `targets`, where Ansible runs one at a time.

    The first of `targets` is left out, for what comes between two tasks falls to it. `options` are ansible-playbook's,
    and `on` is where it runs, as in Controller.run.
    """
    log = controller.directory / "results"
    log.write_text("")
    os.environ.update(
        ANSIBLE_CALLBACK_PLUGINS=str(Path(__file__).parent / "callback"), ANSIBLE_CALLBACKS_ENABLED="results_timed",
        ANSIBLE_FORKS="1", RESULTS_TIMED=str(log),
    )  # fmt: skip
    # As users have it: compiled once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    controller.write_play(*[task] * TASKS, hosts=targets)
    controller.run("ansible-playbook", *options, "play.yml", on=on)
    results = [(name, float(when)) for name, when in (line.split() for line in log.read_text().splitlines())]
    taken = defaultdict(list)
    for (_, before), (name, after) in pairwise(results):
        taken[name].append(after - before)
    del taken[targets[0]]
    return taken
