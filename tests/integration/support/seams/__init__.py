"""The test build of the collection: our code with switches, each of which replaces a public name of a module.

A seam takes a defense away (defenses.py), acts like an attacker at a point of our code (interference.py), records what
a process does (audits.py), or makes a step fail (faults.py). A test names the seams of a run (`attacks.patched`), and
the program of this package (__main__.py) installs them in the process of the module before the module runs.

A target is "MODULE:NAME": a module of module_utils, or of Python, and a public name in it, like
"_container.exec.enter:become_and_exec" or "os:rename".
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

OURS = "ansible_collections.conductor.containers.plugins.module_utils."
KINDS = ("audits", "defenses", "faults", "interference")


class Seam:
    """A switch of the test build. `make` returns what replaces the original of a target; its docstring describes it.

    `targets` are the names that it replaces, () if the test gives the target.
    """

    def __init__(self, make: Callable[..., Any], targets: tuple[str, ...]) -> None:
        self.name = make.__name__
        self.description = (make.__doc__ or "").strip().partition("\n")[0]
        self.targets = targets
        self.make = make

    def __call__(self, target: str | None = None, **options: Any) -> dict[str, Any]:
        """Return the use of this seam with `options`, at `target` if it has no targets of its own, for JSON."""
        assert bool(target) != bool(self.targets), f"{self.name}: give a target if the seam has none of its own"
        return {"seam": self.name, "targets": self.targets or [target], "options": options}


# All seams by name, as soon as `load` was called.
SEAMS: dict[str, Seam] = {}


def seam(*targets: str) -> Callable[[Callable[..., Any]], Seam]:
    """Decorator: make a seam of a function (original, **options) that returns the replacement of `targets`."""

    def register(make: Callable[..., Any]) -> Seam:
        return SEAMS.setdefault(make.__name__, Seam(make, targets))

    return register


def load() -> dict[str, Seam]:
    """Return all seams by name."""
    for kind in KINDS:
        importlib.import_module(f"{__name__}.{kind}")
    return SEAMS


def find(target: str) -> tuple[Any, str]:
    """Return the object that holds the name of `target`, and the name in it."""
    module, _, path = target.partition(":")
    place: Any = importlib.import_module(f"{OURS}{module}" if module.startswith("_") else module)
    *owners, name = path.split(".")
    for owner in owners:
        place = getattr(place, owner)
    return place, name


def replace(target: str, make: Callable[..., Any], **options: Any) -> None:
    """Replace `target` in this process by the result of `make(original, **options)`."""
    place, name = find(target)
    setattr(place, name, make(getattr(place, name), **options))


def install(uses: Iterable[dict[str, Any]]) -> None:
    """Install seams in this process, in this order: of two at one target the second one is called first."""
    known = load()
    for use in uses:
        for target in use["targets"]:
            replace(target, known[use["seam"]].make, **use["options"])


def build_command(uses: Iterable[Seam | dict[str, Any]], *program: str) -> list[str]:
    """Return the command that runs `program` (see __main__.py) with seams on a test host."""
    from testhost import PYTHON

    listed = [use() if isinstance(use, Seam) else use for use in uses]
    return [PYTHON, "-m", "seams", json.dumps(listed), *program]


def build_environment() -> dict[str, str]:
    """Return the environment of that command."""
    from testhost import module_environment

    environment = module_environment()
    return {**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}:{Path(__file__).parents[1]}"}
