# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other firewalls on this host: an accept in our table does not overrule a drop in another one (nft(8)). Pure.

If the setting `firewall` says so, two rules let containers' packets through where a chain drops what none of its own
rules has decided: before its last rule, or at its end. What its rules accept, drop or reject by themselves stays as it
is. Our own table, whose chains come first, has judged the same packets by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..._engine.action import Action
from .firewall_rules import ACCEPT, FROM_OURS, TO_OURS
from .firewall_table import TABLE

_FAMILIES = ("inet", "ip", "ip6")
_RULES = ([FROM_OURS, ACCEPT], [TO_OURS, ACCEPT])
# For who reads that firewall.
_COMMENT = "conductor: containers"


@dataclass(frozen=True)
class OtherChain:
    """A base chain of another firewall.

    `why` it drops, "" if it does not; `before`: handle of the rule that drops the rest, None if its policy does;
    `rules`: handles of those in it that are ours; `passed`: they are all there; `refused`: why it cannot be changed.
    """

    family: str
    table: str
    name: str
    why: str
    before: int | None = None
    rules: tuple[int, ...] = ()
    passed: bool = False
    refused: str = ""
    hook: str = "forward"

    @property
    def label(self) -> str:
        return f"{self.family} {self.table} {self.name}"

    def __str__(self) -> str:
        """For the user."""
        return f"{self.label} ({self.why}{f'; it cannot be changed: {self.refused}' if self.refused else ''})"

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


def other_chains(chains: Iterable[Mapping[str, Any]], hook: str) -> list[OtherChain]:
    """Base chains of others at `hook` ("forward", or "input" for packets to the host), from what nft lists."""
    return [
        OtherChain(chain["family"], chain["table"], chain["name"], _why(chain), hook=hook)
        for chain in chains
        if chain["family"] in _FAMILIES and chain["table"] != TABLE and chain.get("hook") == hook
    ]


def _why(chain: Mapping[str, Any]) -> str:
    if chain.get("policy") == "drop":
        return "policy drop"
    if chain["table"] == "firewalld" and chain["name"].startswith("filter_"):
        return "rejects what no zone allows"
    return ""


def with_rules(chain: OtherChain, rules: Mapping[str, Sequence[Mapping[str, Any]]]) -> OtherChain:
    """`chain`, with what `rules`, those of its table by chain, say of it: which are ours, and whether it drops.

    Ours are known by what they do: iptables-restore(8) writes our comment in another form, and adds a counter.
    """
    found = [(rule["handle"], _essence(rule)) for rule in rules.get(chain.name, ())]
    ours = tuple(handle for handle, parts in found if parts in _RULES)
    final = next((place for place, (_, parts) in enumerate(found) if _drops_all(parts, rules)), None)
    reached = [parts for _, parts in found[:final]]
    passed = all(rule in reached for rule in _RULES)
    before = None if final is None else found[final][0]
    why = chain.why or ("" if final is None else "drops what it does not accept")
    return replace(chain, why=why, before=before, rules=ours, passed=passed)


def _essence(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [part for part in rule["expr"] if not {"counter", "xt", "log"} & set(part)]


def _drops_all(parts: list[dict[str, Any]], rules: Mapping[str, Sequence[Mapping[str, Any]]], depth: int = 8) -> bool:
    """Whether a rule drops or rejects each packet that comes to it, or sends it to a chain of which one does."""
    if len(parts) != 1 or not depth:
        return False
    verdict, about = next(iter(parts[0].items()))
    if verdict in ("jump", "goto"):
        there = rules.get(about["target"], ())
        return any(_drops_all(_essence(rule), rules, depth - 1) for rule in there)
    return verdict in ("drop", "reject")


def plan_other_firewalls(chains: Iterable[OtherChain], wanted: bool) -> list[Action]:
    """Rules of ours where they are `wanted` and a chain drops, and nowhere else. Not where they would be refused."""
    wishes = (wish(chain, wanted) for chain in chains if chain.hook == "forward")
    return [action for action in wishes if action and not action.chain.refused]


def wish(chain: OtherChain, wanted: bool) -> LetThrough | TakeBack | None:
    """What `chain` needs, whether it can be changed or not."""
    if wanted and chain.blocks:
        return LetThrough(chain)
    return TakeBack(chain) if chain.rules and not (wanted and chain.why) else None


def commands_for(action: LetThrough | TakeBack) -> list[dict[str, Any]]:
    """Commands for nft, one transaction: what there is of our rules goes, and comes back whole if it is wanted."""
    chain = action.chain
    place = {"family": chain.family, "table": chain.table, "chain": chain.name}
    commands: list[dict[str, Any]] = [{"delete": {"rule": {**place, "handle": handle}}} for handle in chain.rules]
    if isinstance(action, LetThrough):
        for expr in _RULES:
            rule = {**place, "expr": expr, "comment": _COMMENT}
            commands.append(
                {"add": {"rule": rule}}
                if chain.before is None
                else {"insert": {"rule": {**rule, "handle": chain.before}}}
            )
    return commands
