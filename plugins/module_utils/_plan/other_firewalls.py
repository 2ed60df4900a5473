# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other firewalls on this host: an accept in our table does not overrule a drop in another one (nft(8)). Pure.

Where the setting `firewall` says so, two rules at the head of each of their chains that drop let containers' packets
through. Nothing more is open by that: our own table judges the same packets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from .action import Action
from .firewall import TABLE
from .firewall_rules import ACCEPT, FROM_OURS, TO_OURS

_FAMILIES = ("inet", "ip", "ip6")
_RULES = ([FROM_OURS, ACCEPT], [TO_OURS, ACCEPT])
# For who reads that firewall.
_COMMENT = "conductor: containers"


@dataclass(frozen=True)
class OtherChain:
    """A base chain of another firewall.

    `why` it drops, "" where it does not; `rules`: handles of those in it that are ours; `passed`: they are all there.
    """

    family: str
    table: str
    name: str
    why: str
    rules: tuple[int, ...] = ()
    passed: bool = False

    @property
    def label(self) -> str:
        return f"{self.family} {self.table} {self.name}"

    @property
    def blocks(self) -> bool:
        """Whether containers' packets may be dropped there, as far as can be told."""
        return bool(self.why) and not self.passed


@dataclass(frozen=True)
class LetThrough(Action):
    """Insert our rules in another firewall's chain."""

    chain: OtherChain

    def describe(self) -> str:
        return f"let containers' packets through {self.chain.label}"


@dataclass(frozen=True)
class TakeBack(Action):
    """Take our rules out of another firewall's chain."""

    chain: OtherChain

    def describe(self) -> str:
        return f"take the rules for containers out of {self.chain.label}"


def other_chains(chains: Iterable[Mapping], hook: str) -> list[OtherChain]:
    """Base chains of others at `hook` ("forward", or "input" for packets to the host), from what nft lists."""
    return [
        OtherChain(chain["family"], chain["table"], chain["name"], _why(chain))
        for chain in chains
        if chain["family"] in _FAMILIES and chain["table"] != TABLE and chain.get("hook") == hook
    ]


def _why(chain: Mapping) -> str:
    if chain.get("policy") == "drop":
        return "policy drop"
    if chain["table"] == "firewalld" and chain["name"].startswith("filter_"):
        return "rejects what no zone allows"
    return ""


def with_rules(chain: OtherChain, rules: Iterable[Mapping]) -> OtherChain:
    """`chain`, with what is ours among its `rules`.

    Known by what they do: iptables-restore(8) writes our comment in another form, and adds a counter.
    """
    found = [(rule["handle"], [part for part in rule["expr"] if not {"counter", "xt"} & set(part)]) for rule in rules]
    ours = tuple(handle for handle, parts in found if parts in _RULES)
    return replace(chain, rules=ours, passed=all(any(parts == rule for _, parts in found) for rule in _RULES))


def plan_other_firewalls(chains: Iterable[OtherChain], wanted: bool) -> list[Action]:
    """Rules of ours where they are `wanted` and a chain drops, and nowhere else."""
    actions: list[Action] = []
    for chain in chains:
        if wanted and chain.blocks:
            actions.append(LetThrough(chain))
        elif chain.rules and not (wanted and chain.why):
            actions.append(TakeBack(chain))
    return actions


def commands_for(action: Action) -> list[dict]:
    """Commands for nft, one transaction: what there is of our rules goes, and comes back whole where it is wanted."""
    chain = action.chain
    place = {"family": chain.family, "table": chain.table}
    commands: list[dict] = [
        {"delete": {"rule": {**place, "chain": chain.name, "handle": handle}}} for handle in chain.rules
    ]
    if isinstance(action, LetThrough):
        for expr in _RULES:
            rule = {**place, "chain": chain.name, "expr": expr, "comment": _COMMENT}
            commands.append({"insert": {"rule": rule}})
    return commands
