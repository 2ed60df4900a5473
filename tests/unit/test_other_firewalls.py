"""Rules of ours in other firewalls' chains: where they are wanted, whole, and nowhere else; theirs stay as they are."""

from ansible_collections.conductor.containers.plugins.module_utils._plan.other_firewalls import (
    _RULES,
    commands_for,
    other_chains,
    plan_other_firewalls,
    with_rules,
)
from hypothesis import given
from hypothesis import strategies as st

THEIRS = [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}, {"accept": None}]
CHAINS = [
    {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"},
    {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input", "policy": "drop"},
    {"family": "inet", "table": "open", "name": "forward", "hook": "forward", "policy": "accept"},
    {"family": "inet", "table": "firewalld", "name": "filter_FORWARD", "hook": "forward", "policy": "accept"},
    {"family": "inet", "table": "conductor", "name": "forward", "hook": "forward", "policy": "accept"},
    {"family": "bridge", "table": "filter", "name": "forward", "hook": "forward", "policy": "drop"},
    {"family": "inet", "table": "plain", "name": "jumped_to"},
]


def test_base_chains_of_others_at_the_hook_that_drop_are_blocking():
    assert [c.label for c in other_chains(CHAINS, "forward") if c.blocks] == [
        "ip filter FORWARD",
        "inet firewalld filter_FORWARD",
    ]
    assert [c.label for c in other_chains(CHAINS, "input") if c.blocks] == ["ip filter INPUT"]


def carried_out(rules, commands):
    rules = dict(rules)
    for command in commands:
        if "delete" in command:
            del rules[command["delete"]["rule"]["handle"]]
        else:
            rules = {max(rules, default=0) + 1: command["insert"]["rule"]["expr"], **rules}
    return rules


@given(
    chain=st.sampled_from(CHAINS[:1] + CHAINS[2:4]),
    rules=st.lists(st.sampled_from([*_RULES, THEIRS, [*_RULES[0][:1], {"counter": {}}, *_RULES[0][1:]]])),
    wanted=st.booleans(),
)
def test_one_plan_makes_it_right_and_leaves_their_rules_in_their_order(chain, rules, wanted):
    before = dict(enumerate(rules))

    def look(found):
        chain_found = other_chains([chain], "forward")[0]
        return with_rules(chain_found, [{"handle": handle, "expr": expr} for handle, expr in found.items()])

    actions = plan_other_firewalls([look(before)], wanted)
    after = before
    for action in actions:
        after = carried_out(after, commands_for(action))
    assert plan_other_firewalls([look(after)], wanted) == []
    assert [r for r in after.values() if r == THEIRS] == [r for r in rules if r == THEIRS]
    drops = bool(look(after).why)
    assert look(after).passed if wanted and drops else not look(after).rules
