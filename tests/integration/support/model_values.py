"""What the model and its network half share: a finding, and specs as they are stored."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, order=True)
class Finding:
    """Something that is not as it must be.

    `noun` says who must repair it: "container" or "network", or "host": nobody, so that it must never be.
    """

    noun: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.noun} {self.name}: {self.text}"


def link_of(name: str) -> str:
    """Its link on the host."""
    return "cdtr-" + hashlib.sha256(name.encode()).hexdigest()[:10]


class Stored(NamedTuple):
    """What a container's two files say."""

    spec: dict
    network: dict | None


def stored(view: dict) -> dict[str, Stored]:
    """All containers with a spec. A network.json of an earlier container of that name does not count."""
    found = {}
    for name, one in view["containers"].items():
        if isinstance(one["spec"], dict):
            network = one["network"]
            own = isinstance(network, dict) and network["container_id"] == one["spec"]["id"]
            found[name] = Stored(one["spec"], network if own else None)
    return found


def alive(view: dict, process: dict | None) -> bool:
    """Whether the very process of a run state runs."""
    found = view["processes"].get(str((process or {}).get("pid")))
    return found is not None and found["state"] not in "ZX" and found["start"] == process["start_time"]


def ports_of(value) -> range:
    """80, "80" or "8000-8010"."""
    first, _, last = str(value).partition("-")
    return range(int(first), int(last or first) + 1)
