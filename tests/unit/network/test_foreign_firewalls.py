"""Accept rules in chains of other firewalls: added only if wanted, complete, and without changes to other rules."""

import pytest
from ansible_collections.conductor.containers.plugins.module_utils._network.plan.foreign_firewalls import (
    ACCEPT_RULES,
    AddAcceptRules,
    ForeignChain,
    RemoveAcceptRules,
    commands_for,
    foreign_chains,
    plan_chain,
    plan_foreign_firewalls,
    refusal,
    with_rules,
)
from hypothesis import given
from hypothesis import strategies as st

THEIRS = [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth0"}}, {"accept": None}]
LAST = [{"counter": {"packets": 1, "bytes": 2}}, {"drop": None}]
CHAINS = [
    {"family": "ip", "table": "filter", "name": "FORWARD", "hook": "forward", "policy": "drop"},
    {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input", "policy": "drop"},
    {"family": "inet", "table": "open", "name": "forward", "hook": "forward", "policy": "accept"},
    {"family": "inet", "table": "firewalld", "name": "filter_FORWARD", "hook": "forward", "policy": "accept"},
    {"family": "inet", "table": "conductor", "name": "forward", "hook": "forward", "policy": "accept"},
    {"family": "bridge", "table": "filter", "name": "forward", "hook": "forward", "policy": "drop"},
    {"family": "inet", "table": "plain", "name": "jumped_to"},
]


def test_dropping_base_chains_of_others_are_reported():
    assert [c.label for c in foreign_chains(CHAINS, "forward") if c.blocks] == [
        "ip filter FORWARD",
        "inet firewalld filter_FORWARD",
    ]
    assert [c.label for c in foreign_chains(CHAINS, "input") if c.blocks] == ["ip filter INPUT"]


def carried_out(rules, commands):
    rules = dict(rules)
    for command in commands:
        if "delete" in command:
            del rules[command["delete"]["rule"]["handle"]]
            continue
        (verb, item), fresh = next(iter(command.items())), max(rules, default=0) + 1
        added = {key: item["rule"][key] for key in ("expr", "comment")}
        found = []
        for handle, rule in rules.items():
            if verb == "insert" and item["rule"]["handle"] == handle:
                found.append((fresh, added))
            found.append((handle, rule))
        rules = dict(found if verb == "insert" else [*found, (fresh, added)])
    return rules


OURS = [{"expr": expr, "comment": "conductor: containers"} for expr in ACCEPT_RULES]
# Rules of the admin with the same effect, and with other comments, if any.
SAME = [
    {"expr": ACCEPT_RULES[0]},
    {"expr": [*ACCEPT_RULES[0][:1], {"counter": {}}, *ACCEPT_RULES[0][1:]], "comment": "containers"},
    {"expr": ACCEPT_RULES[1], "comment": "containers"},
]


@given(
    chain=st.sampled_from(CHAINS[:1] + CHAINS[2:4]),
    rules=st.lists(st.sampled_from([*OURS, *SAME, {"expr": THEIRS}, {"expr": LAST}])),
    wanted=st.booleans(),
)
def test_one_plan_converges_and_keeps_all_other_rules_in_order(chain, rules, wanted):
    before = dict(enumerate(rules))

    def look(found):
        chain_found = foreign_chains([chain], "forward")[0]
        return with_rules(chain_found, {chain["name"]: [{"handle": h, **rule} for h, rule in found.items()]})

    actions = plan_foreign_firewalls([look(before)], wanted)
    after = before
    for action in actions:
        after = carried_out(after, commands_for(action))
    assert plan_foreign_firewalls([look(after)], wanted) == []
    assert [r for r in after.values() if r not in OURS] == [r for r in rules if r not in OURS]
    if wanted and {"expr": LAST} not in rules and look(after).passed and not look(before).passed:
        assert list(after.values())[-2:] == OURS, "their own rules come first"
    drops = bool(look(after).why)
    assert look(after).passed if wanted and drops else not look(after).rules


REJECT = {"reject": {"type": "icmpx", "expr": "admin-prohibited"}}
# As nft 1.0.6 lists rules of iptables-nft 1.8.9.
COUNTER = {"counter": {"packets": 0, "bytes": 0}}
XT_INVALID = [{"xt": {"type": "match", "name": "conntrack"}}, COUNTER, {"drop": None}]
XT_BLACKLIST = [{"xt": {"type": "match", "name": "set"}}, COUNTER, {"drop": None}]
XT_REJECT = [COUNTER, {"xt": {"type": "target", "name": "REJECT"}}]
XT_LOG = [COUNTER, {"xt": {"type": "target", "name": "LOG"}}]
XT_COMMENT = {"xt": {"type": "match", "name": "comment"}}


@pytest.mark.parametrize(
    ("rules", "before"),
    [
        ({"c": [[THEIRS[0], {"drop": None}]]}, None),
        ({"c": [THEIRS, LAST]}, 1),
        ({"c": [THEIRS, [{"log": None}, REJECT]]}, 1),
        ({"c": [[{"jump": {"target": "rest"}}]], "rest": [[{"log": None}], LAST]}, 0),
        ({"c": [[{"jump": {"target": "rest"}}]], "rest": [THEIRS]}, None),
        ({"c": [[{"goto": {"target": "c"}}]]}, None),
        ({"c": [[{"goto": {"target": "rest"}}], LAST], "rest": [THEIRS]}, None),
        ({"c": [[{"accept": None}], LAST]}, None),
        ({"c": [[{"jump": {"target": "rest"}}]], "rest": [[{"return": None}], LAST]}, None),
        ({"c": [XT_INVALID, XT_LOG]}, None),
        ({"c": [[{"jump": {"target": "DOCKER-USER"}}]], "DOCKER-USER": [XT_BLACKLIST, [{"return": None}]]}, None),
        ({"c": [XT_INVALID, XT_REJECT]}, 1),
        ({"c": [XT_INVALID, [XT_COMMENT, *LAST]]}, 1),
        ({"c": [[{"xt": None}, COUNTER, {"drop": None}]]}, None),
        ({"c": [[{"xt": None}]]}, None),
        ({"c": [["synproxy"]]}, None),
    ],
)
def test_chain_with_a_final_drop_rule_is_reported(rules, before):
    listed = {name: [{"handle": i, "expr": expr} for i, expr in enumerate(r)] for name, r in rules.items()}
    chain = with_rules(ForeignChain("ip", "t", "c", ""), listed)
    assert (chain.blocks, chain.before) == (before is not None, before)
    if before is not None:
        placed = [command["insert"]["rule"]["handle"] for command in commands_for(AddAcceptRules(chain))]
        assert placed == [before, before]


JUMP = [{"jump": {"target": "fw"}}]
SPOOFED = [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "203.0.113.7"}}]
BLOCKED = [*SPOOFED, {"drop": None}]
RARELY = [{"limit": {"rate": 3, "per": "minute"}}]
LOG = [{"jump": {"target": "log"}}]


def read_chain(policy, rules):
    """Return the chain with the rules of its table, before any of ours."""
    found = {"family": "ip", "table": "t", "name": "c", "hook": "forward", "policy": policy}
    listed = {name: [{"handle": i, **rule} for i, rule in enumerate(chain)] for name, chain in rules.items()}
    return with_rules(foreign_chains([found], "forward")[0], listed)


@pytest.mark.parametrize(
    ("policy", "chains", "called"),
    [
        ("accept", {"c": [JUMP], "fw": [BLOCKED, LAST]}, "fw"),
        ("accept", {"c": [JUMP], "fw": [THEIRS, LAST]}, "fw"),
        ("accept", {"c": [JUMP], "fw": [[*SPOOFED, {"vmap": {}}], LAST]}, "fw"),
        ("accept", {"c": [JUMP], "fw": [[{"xt": None}], LAST]}, "fw"),
        ("drop", {"c": [JUMP], "fw": [BLOCKED, LAST]}, "fw"),
        ("drop", {"c": [[{"goto": {"target": "fw"}}]], "fw": [BLOCKED]}, "fw"),
        # As firewalld: the chain of the zones sends all other packets to that of the default zone.
        (
            "accept",
            {
                "c": [THEIRS, JUMP, [REJECT]],
                "fw": [[THEIRS[0], {"goto": {"target": "public"}}], [{"goto": {"target": "public"}}]],
                "public": [[{"jump": {"target": "deny"}}], [REJECT]],
                "deny": [BLOCKED],
            },
            "fw",
        ),
        ("accept", {"c": [JUMP], "fw": [[{"goto": {"target": "public"}}]], "public": [BLOCKED, [REJECT]]}, "fw"),
        # As ufw, whose other chains drop only some packets.
        ("accept", {"c": [JUMP, [{"jump": {"target": "r"}}]], "fw": [BLOCKED], "r": [XT_REJECT]}, ""),
        ("accept", {"c": [JUMP], "fw": [[*RARELY, {"log": None}], XT_LOG, LOG, LAST], "log": [XT_LOG]}, ""),
        ("accept", {"c": [JUMP], "fw": [[{"jump": {"target": "end"}}]], "end": [LAST]}, ""),
        ("drop", {"c": [JUMP], "fw": [BLOCKED]}, ""),
    ],
)
def test_rules_of_a_called_chain_are_not_passed(policy, chains, called):
    """Accept rules before the jump would accept packets that the called chain drops."""
    plain = {name: [{"expr": expr} for expr in rules] for name, rules in chains.items()}
    chain = read_chain(policy, plain)
    action = plan_chain(chain, True)
    assert chain.blocks and action == AddAcceptRules(chain)
    assert refusal(action) == (f"its rules are in chain {called}" if called else "")
    if not called:
        after = carried_out(dict(enumerate(plain["c"])), commands_for(action))
        assert read_chain(policy, {**plain, "c": after.values()}).passed


def test_accept_rules_come_before_a_return_to_the_dropping_policy():
    chain = read_chain("drop", {"c": [{"expr": BLOCKED}, {"expr": [{"return": None}]}]})
    assert chain.before == 1


def test_accept_rules_of_earlier_releases_before_a_called_chain_are_removed():
    rules = {"c": [*OURS, {"expr": JUMP}], "fw": [{"expr": BLOCKED}, {"expr": LAST}]}
    chain = read_chain("accept", rules)
    assert plan_foreign_firewalls([chain], True) == [RemoveAcceptRules(chain)]


def test_accept_rule_with_a_condition_of_iptables_lets_only_some_packets_through():
    conditional = [[match, XT_INVALID[0], accept] for match, accept in ACCEPT_RULES]
    rules = [{"handle": i, "expr": expr} for i, expr in enumerate([*conditional, LAST])]
    chain = with_rules(ForeignChain("ip", "t", "c", ""), {"c": rules})
    assert chain.blocks and chain.rules == ()


def test_chain_that_refuses_changes_is_reported_and_not_changed():
    chain = ForeignChain("inet", "firewalld", "filter_FORWARD", "policy drop", refused="Operation not permitted")
    assert plan_foreign_firewalls([chain], True) == []
    assert chain.blocks
    assert str(chain) == "inet firewalld filter_FORWARD (policy drop; it cannot be changed: Operation not permitted)"
