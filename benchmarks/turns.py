"""Contestants and tasks that take turns: whatever else the machine does meets all alike."""

from __future__ import annotations

import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

TASKS = 25


def take_turns(
    rounds: int, contestants: dict[str, Callable[[], dict[str, float]]], warm_up: int = 1
) -> dict[str, dict[str, list[float]]]:
    """Call all contestants `rounds` times, one after the other; each returns a value for each thing that it measured.

    The result is by thing, then by contestant. Caches are filled in the first `warm_up` rounds, which do not count.
    """
    taken: dict[str, dict[str, list[float]]] = {}
    for number in range(warm_up + rounds):
        for name, measure in contestants.items():
            for thing, value in measure().items():
                if number >= warm_up:
                    taken.setdefault(thing, {}).setdefault(name, []).append(value)
    return taken


def seconds(action: Callable[[], object]) -> float:
    """How long `action` takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def processor_seconds(action: Callable[[], object]) -> float:
    """Processor time of the processes that `action` starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def task_seconds(controller, task: dict, *options: str, on=None) -> dict[str, list[float]]:
    """Seconds that each of TASKS tasks took on each target of the inventory, where Ansible runs one at a time.

    Each comes after another of its own kind, which is not counted, for what a task leaves to be cleared away takes time
    from the next. Nor are the first and the last one counted: to those falls what comes between two tasks, and while
    the last one runs Ansible does nothing but wait. `options` are ansible-playbook's, and `on` is where it runs, as in
    Controller.run.
    """
    log = controller.directory / "results"
    log.write_text("")
    os.environ.update(
        ANSIBLE_CALLBACK_PLUGINS=str(Path(__file__).parent / "callback"), ANSIBLE_CALLBACKS_ENABLED="results_timed",
        ANSIBLE_FORKS="1", RESULTS_TIMED=str(log),
    )  # fmt: skip
    # As users have it: compiled once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    targets = controller.inventory
    hosts = {f"{before}{name}": targets[name] for name in targets for before in ("before-", "")}
    controller.inventory = {**hosts, "last": next(iter(targets.values()))}
    controller.write_play(*[task] * TASKS, hosts=list(controller.inventory))
    controller.run("ansible-playbook", *options, "play.yml", on=on)
    controller.inventory = targets
    results = [(name, float(when)) for name, when in (line.split() for line in log.read_text().splitlines())]
    taken = defaultdict(list)
    for (_, before), (name, after) in pairwise(results):
        if name in targets:
            taken[name].append(after - before)
    return taken
