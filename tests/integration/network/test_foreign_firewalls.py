"""Other firewalls on the host that drop permitted packets are reported, and passed if the host's settings allow it."""

import json

import pytest
from netbox import HOST4, INTERNET4, Box, is_refused, reaches, serve
from waiting import until

OPTIONS = {"internet": True, "expose": ["8080-80"]}
DROPPING = """chain FORWARD {
    type filter hook forward priority 0; policy drop;
    ip saddr 192.0.2.7 counter accept
}"""
TABLES = ("inet theirs", "ip filter")


@pytest.fixture
def web(bare_host):
    box = Box(bare_host, "web")
    serve(box, 8080)
    serve(bare_host.internet, 7)
    box.network(**OPTIONS)
    return box


def drop_in(host, *tables):
    host.run("nft", "-f", "-", stdin="".join(f"table {name} {{\n{DROPPING}\n}}\n" for name in tables))


def text_of(host, *tables):
    return [host.run("nft", "--stateless", "list", "table", *name.split()).stdout for name in tables]


def settings(host, **values):
    host.run("tee", "/etc/conductor/conductor.json", stdin=json.dumps(values))


def test_dropping_firewall_is_reported(bare_host, web):
    drop_in(bare_host, "ip filter")
    result = web.network(**OPTIONS)
    assert result["blocked_by"] == ["ip filter FORWARD (policy drop)"]
    assert "ip filter FORWARD" in str(result["warnings"])
    assert not result["changed"]
    assert is_refused(bare_host.outside, HOST4, 80) and is_refused(web, INTERNET4, 7)


def test_accept_rules_are_added_and_removed_again(bare_host, web):
    drop_in(bare_host, *TABLES)
    theirs = text_of(bare_host, *TABLES)
    settings(bare_host, firewall="accept")
    through = [f"let containers' packets through {name} FORWARD" for name in TABLES]
    predicted = web.network(**OPTIONS, check=True)
    assert sorted(predicted["actions"]) == through and text_of(bare_host, *TABLES) == theirs
    done = web.network(**OPTIONS)
    assert done["actions"] == predicted["actions"] and done["blocked_by"] == [] and "warnings" not in done
    assert not web.network(**OPTIONS)["changed"]
    assert reaches(bare_host.outside, HOST4, 80) and reaches(web, INTERNET4, 7)
    web.network(state="absent")
    assert text_of(bare_host, *TABLES) == theirs


def test_accept_rules_do_not_bypass_our_table(bare_host, web):
    drop_in(bare_host, "ip filter")
    settings(bare_host, firewall="accept")
    web.network(**OPTIONS)
    other = Box(bare_host, "other")
    other.network()
    assert is_refused(other, INTERNET4, 7) and is_refused(other, web.addresses()[0], 8080)
    assert is_refused(bare_host.outside, HOST4, 8080)


def test_missing_accept_rules_are_repaired(bare_host, web):
    drop_in(bare_host, *TABLES)
    settings(bare_host, firewall="accept")
    web.network(**OPTIONS)
    bare_host.run("nft", "flush", "chain", "ip", "filter", "FORWARD")
    repaired = bare_host.module("conductor_network", state="reconciled")
    assert repaired["actions"] == ["let containers' packets through ip filter FORWARD"]
    assert reaches(web, INTERNET4, 7)


def add_same_rules(host):
    """As iptables-restore(8) writes ours, or as the admin does: without our comment, with a counter."""
    for rule in ("iifname cdtr-* counter accept", 'oifname cdtr-* counter accept comment "containers"'):
        host.run("nft", "add", "rule", "ip", "filter", "FORWARD", *rule.split())


def test_rules_with_the_same_effect_count_as_accept_rules(bare_host, web):
    drop_in(bare_host, "ip filter")
    add_same_rules(bare_host)
    settings(bare_host, firewall="accept")
    result = web.network(**OPTIONS)
    assert not result["changed"] and result["blocked_by"] == []
    assert reaches(web, INTERNET4, 7)


@pytest.mark.parametrize("firewall", ["report", "accept"])
def test_accept_rules_of_the_admin_are_never_removed(bare_host, web, firewall):
    drop_in(bare_host, "ip filter")
    add_same_rules(bare_host)
    theirs = text_of(bare_host, "ip filter")
    settings(bare_host, firewall=firewall)
    assert not web.network(**OPTIONS)["changed"]
    assert not bare_host.module("conductor_network", state="reconciled")["changed"]
    web.network(state="absent")
    assert text_of(bare_host, "ip filter") == theirs


def test_accept_rules_are_removed_with_the_setting(bare_host, web):
    drop_in(bare_host, "ip filter")
    theirs = text_of(bare_host, "ip filter")
    settings(bare_host, firewall="accept")
    bare_host.module("conductor_network", state="reconciled")
    settings(bare_host, firewall="report")
    taken = ["remove the rules for containers from ip filter FORWARD"]
    assert bare_host.module("conductor_network", state="reconciled")["actions"] == taken
    assert text_of(bare_host, "ip filter") == theirs


def test_a_setting_that_is_unknown_is_refused(bare_host, web):
    settings(bare_host, firewall="open")
    said = bare_host.module("conductor_network", state="reconciled", fails=True)["msg"]
    assert "firewall 'open' is not one of report, accept" in said and "/etc/conductor/conductor.json" in said


def test_accept_rules_come_after_rules_of_the_other_firewall(bare_host, web):
    """As with `ufw route deny` and ufw's own rules: only packets for its policy are accepted."""
    drop_in(bare_host, "ip filter")
    bare_host.run("nft", "insert", "rule", "ip", "filter", "FORWARD", "ip", "daddr", INTERNET4, "drop")
    settings(bare_host, firewall="accept")
    web.network(**OPTIONS)
    assert reaches(bare_host.outside, HOST4, 80)
    assert is_refused(web, INTERNET4, 7)


ENDINGS = {
    "drop": ("", "counter drop"),
    "reject": ("", "reject with icmpx admin-prohibited"),
    "drop of another chain": ("add chain inet theirs rest; add rule inet theirs rest log drop", "jump rest"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_chain_with_a_final_drop_rule_is_reported_and_passed(bare_host, web, ending):
    before, last = ENDINGS[ending]
    bare_host.run("nft", f"add table inet theirs; {before}")
    bare_host.run("nft", "add chain inet theirs end { type filter hook forward priority 10; }")
    bare_host.run("nft", "add rule inet theirs end ip saddr 192.0.2.7 accept")
    bare_host.run("nft", f"add rule inet theirs end {last}")
    theirs = text_of(bare_host, "inet theirs")
    assert web.network(**OPTIONS)["blocked_by"] == ["inet theirs end (drops packets that it does not accept)"]
    assert is_refused(web, INTERNET4, 7)
    settings(bare_host, firewall="accept")
    done = web.network(**OPTIONS)
    assert done["actions"] == ["let containers' packets through inet theirs end"] and done["blocked_by"] == []
    assert reaches(web, INTERNET4, 7) and reaches(bare_host.outside, HOST4, 80)
    web.network(state="absent")
    assert text_of(bare_host, "inet theirs") == theirs


def test_rules_of_a_called_chain_keep_their_effect(bare_host, web):
    """As with firewalld: accept rules before the jump would accept packets that the called chain drops."""
    bare_host.run(
        "nft",
        "-f",
        "-",
        stdin=f"""table inet theirs {{
        chain fw {{
            ip daddr {INTERNET4} drop
            ip daddr 192.0.2.7 accept
            drop
        }}
        chain forward {{
            type filter hook forward priority 10;
            jump fw
        }}
    }}""",
    )
    theirs = text_of(bare_host, "inet theirs")
    settings(bare_host, firewall="accept")
    result = web.network(**OPTIONS)
    reason = "drops packets that it does not accept; it cannot be changed: its rules are in chain fw"
    assert result["blocked_by"] == [f"inet theirs forward ({reason})"] and reason in str(result["warnings"])
    assert not result["changed"] and text_of(bare_host, "inet theirs") == theirs
    assert is_refused(web, INTERNET4, 7)


def test_table_owned_by_another_program_is_a_warning(bare_host, web):
    """As with firewalld 2: only the owner of such a table, the process with its socket open, can change it."""
    owner = bare_host.popen("nft", "-i", stdin=-1, stdout=-1, text=True)
    try:
        owner.stdin.write("add table inet owned { flags owner; }\n")
        owner.stdin.write("add chain inet owned f { type filter hook forward priority 10; policy drop; }\n")
        owner.stdin.flush()
        until(lambda: "owned" in bare_host.run("nft", "list", "chains").stdout, "the table is there")
        settings(bare_host, firewall="accept")
        other = Box(bare_host, "other")
        result = other.network()
        assert result["changed"] and "inet owned f (policy drop; it cannot be changed: " in str(result["warnings"])
        assert not other.network()["changed"]
        bare_host.module("conductor_peer", container="web", peer="other")
        assert not bare_host.module("conductor_network", state="reconciled")["changed"]
        assert other.network(state="absent")["changed"]
    finally:
        owner.communicate()
