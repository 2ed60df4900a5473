# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accept rules in chains of other firewalls: an accept in one table does not overrule a drop in another (nft(8)). Pure.

If the setting `firewall` is "accept", two rules accept containers' packets in a chain that drops all packets that none
of its own rules has decided: before its last rule, or at its end. Packets that its own rules accept, drop or reject are
not affected. A chain that leaves the decision to rules of another chain is not changed: rules before the jump would
bypass these, and the other chain may be called by more hooks. The chains of `inet conductor` come first and have
checked the same packets before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..._engine.action import Action
from .firewall_rules import ACCEPT, FROM_OURS, TO_OURS
from .firewall_table import TABLE

_FAMILIES = ("inet", "ip", "ip6")
ACCEPT_RULES = ([FROM_OURS, ACCEPT], [TO_OURS, ACCEPT])
# Shown to readers of the other firewall.
_COMMENT = "conductor: containers"
_XT_NEUTRAL = [{"xt": {"type": "match", "name": "comment"}}]
_XT_NEUTRAL += [{"xt": {"type": "target", "name": name}} for name in ("LOG", "NFLOG")]
_XT_REJECT = {"xt": {"type": "target", "name": "REJECT"}}
_REJECT: dict[str, Any] = {"reject": None}
_DROP: dict[str, Any] = {"drop": None}
_POLICY = "policy drop"
_DEPTH = 8  # of calls; the kernel allows 16


@dataclass(frozen=True)
class ForeignChain:
    """A base chain of another firewall.

    `why` is the reason that it drops packets, "" if it does not. `before` is the handle of the rule that drops the
    rest, None if its policy does; `called` is a chain that this rule calls and that has rules of its own. `rules` are
    the handles of our rules in it, `passed` says whether these or others with the same effect accept all packets of
    containers, and `refused` is the reason that it cannot be changed.
    """

    family: str
    table: str
    name: str
    why: str
    before: int | None = None
    called: str = ""
    rules: tuple[int, ...] = ()
    passed: bool = False
    refused: str = ""
    hook: str = "forward"

    @property
    def label(self) -> str:
        return f"{self.family} {self.table} {self.name}"

    def __str__(self) -> str:
        """Return the text for users."""
        return f"{self.label} ({self.why}{f'; it cannot be changed: {self.refused}' if self.refused else ''})"

    @property
    def blocks(self) -> bool:
        """Return whether the chain may drop containers' packets, as far as its policy and rules show."""
        return bool(self.why) and not self.passed


@dataclass(frozen=True)
class AddAcceptRules(Action):
    """Insert our accept rules in a chain of another firewall."""

    chain: ForeignChain

    def describe(self) -> str:
        return f"let containers' packets through {self.chain.label}"


@dataclass(frozen=True)
class RemoveAcceptRules(Action):
    """Remove our accept rules from a chain of another firewall."""

    chain: ForeignChain

    def describe(self) -> str:
        return f"remove the rules for containers from {self.chain.label}"


def foreign_chains(chains: Iterable[Mapping[str, Any]], hook: str) -> list[ForeignChain]:
    """Return the base chains of other firewalls at `hook`: "forward", or "input" for packets to the host."""
    return [
        ForeignChain(chain["family"], chain["table"], chain["name"], _why(chain), hook=hook)
        for chain in chains
        if chain["family"] in _FAMILIES and chain["table"] != TABLE and chain.get("hook") == hook
    ]


def _why(chain: Mapping[str, Any]) -> str:
    if chain.get("policy") == "drop":
        return _POLICY
    if chain["table"] == "firewalld" and chain["name"].startswith("filter_"):
        return "rejects packets that no zone allows"
    return ""


def with_rules(chain: ForeignChain, rules: Mapping[str, Sequence[Mapping[str, Any]]]) -> ForeignChain:
    """Return `chain` with the facts from `rules`, its table's rules by chain: our rules, and whether it drops.

    Rules without our comment may be the admin's own, and are never ours to remove, but rules with the same effect need
    not be added. iptables-restore(8) writes our rules with a comment that nft does not list, and with a counter.
    """
    listed = rules.get(chain.name, ())
    found = [_essence(rule) for rule in listed]
    ours = [
        rule["handle"]
        for rule, parts in zip(listed, found)
        if parts in ACCEPT_RULES and rule.get("comment") == _COMMENT
    ]
    policy = [[_DROP]] if chain.why == _POLICY else []
    final, called = _final_drop(found, policy, rules) or (None, "")
    passed = all(rule in found[:final] for rule in ACCEPT_RULES)
    before = None if final is None or final == len(listed) else listed[final]["handle"]
    why = chain.why or ("" if final is None else "drops packets that it does not accept")
    return replace(chain, why=why, before=before, called=called, rules=tuple(ours), passed=passed)


def _essence(rule: Mapping[str, Any]) -> list[Any]:
    """Return the conditions and statements of a rule that decide about packets.

    An extension of iptables-nft(8) is listed as {"xt": {"type": ..., "name": ...}}, by older releases of nft as
    {"xt": null}. It may be any condition or statement.
    """
    return [_REJECT if part == _XT_REJECT else part for part in rule["expr"] if not _is_neutral(part)]


def _is_neutral(part: Any) -> bool:
    return part in _XT_NEUTRAL or (isinstance(part, dict) and bool({"counter", "log"} & set(part)))


_Rules = Sequence[list[Any]]
_Chains = Mapping[str, Sequence[Mapping[str, Any]]]


def _rules_of(name: str, chains: _Chains) -> _Rules:
    return [_essence(rule) for rule in chains.get(name, ())]


def _final_drop(rules: _Rules, policy: _Rules, chains: _Chains, depth: int = _DEPTH) -> tuple[int, str] | None:
    """Return the place of the rule that drops or rejects all packets that reach it, or None.

    It may also call a chain that does; the second value is that chain if rules of its own decide before the drop, else
    "". No packet reaches a rule after one that accepts all packets, returns, or goes to a chain. `policy` is the rule
    for packets that reach the end of a base chain.
    """
    for place, parts in enumerate([*rules, *policy]):
        if len(parts) != 1 or not isinstance(parts[0], dict):
            continue
        verdict, about = next(iter(parts[0].items()))
        if verdict == "accept":
            return None
        if verdict == "return":
            return (place, "") if policy else None
        if verdict in ("drop", "reject"):
            return place, ""
        if verdict in ("jump", "goto") and depth:
            there = _rules_of(about["target"], chains)
            found = _final_drop(there, policy if verdict == "goto" else [], chains, depth - 1)
            if found is not None:
                is_decided = found[1] or any(_decides(rule, chains) for rule in there[: found[0]])
                return place, about["target"] if is_decided else ""
            if verdict == "goto":
                return None
    return None


def _decides(rule: list[Any], chains: _Chains, depth: int = _DEPTH) -> bool:
    """Return whether `rule` may decide about a packet. One with conditions only does not, nor one that calls such."""
    for part in rule:
        kind, about = next(iter(part.items())) if isinstance(part, dict) else (part, {})
        if kind in ("match", "limit") or (kind == "xt" and about and about["type"] == "match"):
            continue
        if kind == "jump" and depth:
            if any(_decides(called, chains, depth - 1) for called in _rules_of(about["target"], chains)):
                return True
            continue
        return True
    return False


def plan_foreign_firewalls(chains: Iterable[ForeignChain], wanted: bool) -> list[Action]:
    """Return actions that add our rules to dropping chains if they are `wanted`, and remove them everywhere else.

    Chains that refuse changes are left out.
    """
    planned = (plan_chain(chain, wanted) for chain in chains if chain.hook == "forward")
    return [action for action in planned if action and not action.chain.refused]


def plan_chain(chain: ForeignChain, wanted: bool) -> AddAcceptRules | RemoveAcceptRules | None:
    """Return the change that `chain` needs, whether it can be changed or not, or None."""
    has_place = wanted and bool(chain.why) and not chain.called
    if wanted and chain.blocks and (has_place or not chain.rules):
        return AddAcceptRules(chain)
    return RemoveAcceptRules(chain) if chain.rules and not has_place else None


def refusal(action: AddAcceptRules | RemoveAcceptRules) -> str:
    """Return why our rules have no place in the chain of `action`, "" if they have one, or are removed."""
    called = action.chain.called if isinstance(action, AddAcceptRules) else ""
    return f"its rules are in chain {called}" if called else ""


def commands_for(action: AddAcceptRules | RemoveAcceptRules) -> list[dict[str, Any]]:
    """Return nft commands, one transaction: all our rules are removed, and added again if they are wanted."""
    chain = action.chain
    place = {"family": chain.family, "table": chain.table, "chain": chain.name}
    commands: list[dict[str, Any]] = [{"delete": {"rule": {**place, "handle": handle}}} for handle in chain.rules]
    if isinstance(action, AddAcceptRules):
        for expr in ACCEPT_RULES:
            rule = {**place, "expr": expr, "comment": _COMMENT}
            commands.append(
                {"add": {"rule": rule}}
                if chain.before is None
                else {"insert": {"rule": {**rule, "handle": chain.before}}}
            )
    return commands
