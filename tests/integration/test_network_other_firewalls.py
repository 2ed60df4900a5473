"""Other firewalls on the host that drop what containers may do: named, and passed where the host says so."""

import json

import pytest
from netbox import HOST4, INTERNET4, Box, is_refused, reaches, serve

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
    return [host.run("nft", "list", "table", *name.split()).stdout for name in tables]


def settings(host, **values):
    host.run("tee", "/etc/conductor/conductor.json", stdin=json.dumps(values))


def test_another_firewall_that_drops_is_named(bare_host, web):
    drop_in(bare_host, "ip filter")
    result = web.network(**OPTIONS)
    assert result["blocked_by"] == ["ip filter FORWARD (policy drop)"]
    assert "ip filter FORWARD" in str(result["warnings"])
    assert not result["changed"]
    assert is_refused(bare_host.outside, HOST4, 80) and is_refused(web, INTERNET4, 7)


def test_another_firewall_is_passed_where_the_host_says_so_and_is_then_as_it_was(bare_host, web):
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


def test_our_own_table_judges_still(bare_host, web):
    drop_in(bare_host, "ip filter")
    settings(bare_host, firewall="accept")
    web.network(**OPTIONS)
    other = Box(bare_host, "other")
    other.network()
    assert is_refused(other, INTERNET4, 7) and is_refused(other, web.addresses()[0], 8080)
    assert is_refused(bare_host.outside, HOST4, 8080)


def test_what_is_lost_of_our_rules_is_repaired(bare_host, web):
    drop_in(bare_host, *TABLES)
    settings(bare_host, firewall="accept")
    web.network(**OPTIONS)
    bare_host.run("nft", "flush", "chain", "ip", "filter", "FORWARD")
    repaired = bare_host.module("conductor_network", state="reconciled")
    assert repaired["actions"] == ["let containers' packets through ip filter FORWARD"]
    assert reaches(web, INTERNET4, 7)


def test_our_rules_are_known_again_after_their_firewall_was_saved_and_restored(bare_host, web):
    drop_in(bare_host, "ip filter")
    theirs = text_of(bare_host, "ip filter")
    settings(bare_host, firewall="accept")
    web.network(**OPTIONS)
    # As iptables-restore(8) writes them: without our comment, with a counter.
    bare_host.run("nft", "flush", "table", "ip", "filter")
    for rule in ("iifname cdtr-* counter accept", "oifname cdtr-* counter accept", "ip saddr 192.0.2.7 counter accept"):
        bare_host.run("nft", "add", "rule", "ip", "filter", "FORWARD", *rule.split())
    assert not web.network(**OPTIONS)["changed"]
    web.network(state="absent")
    assert text_of(bare_host, "ip filter") == theirs


def test_rules_in_another_firewall_go_when_the_host_no_longer_says_so(bare_host, web):
    drop_in(bare_host, "ip filter")
    theirs = text_of(bare_host, "ip filter")
    settings(bare_host, firewall="accept")
    bare_host.module("conductor_network", state="reconciled")
    settings(bare_host, firewall="report")
    taken = ["take the rules for containers out of ip filter FORWARD"]
    assert bare_host.module("conductor_network", state="reconciled")["actions"] == taken
    assert text_of(bare_host, "ip filter") == theirs


def test_a_setting_that_is_unknown_is_refused(bare_host, web):
    settings(bare_host, firewall="open")
    said = bare_host.module("conductor_network", state="reconciled", fails=True)["msg"]
    assert "firewall 'open' is not one of report, accept" in said and "/etc/conductor/conductor.json" in said
