"""Listing of the host's tables with one run of nft."""

from seams import build_command, build_environment
from seams.faults import refuse_listing_of_rulesets

LOOK = """
import json, subprocess
from ansible_collections.conductor.containers.plugins.module_utils._kernel.nft import list_tables
TABLES = [("inet", "one"), ("netdev", "one")]
"""
ADDED = (
    "add table inet one; add chain inet one own; add table netdev one; add table ip other; add chain ip other theirs"
)


def looks(host, code, *seams):
    """The lines that `code`, which knows `list_tables` and TABLES, prints on `host`."""
    environment = {**build_environment(), "HOME": "/root"}
    return host.run(*build_command(seams, "python", LOOK + code), env=environment).stdout.splitlines()


def test_it_lists_all_of_the_tables_that_are_asked_for_and_the_chains_of_every_one(bare_host):
    bare_host.run("nft", "flush", "ruleset")
    code = "found = list_tables(TABLES); print(json.dumps(found.tables)); print([c['name'] for c in found.chains])"
    assert looks(bare_host, code) == ["null", "[]"]
    bare_host.run("nft", ADDED)
    tables, chains = looks(bare_host, code)
    assert tables.count('"one"') == 3 and "other" not in tables
    assert chains == "['own', 'theirs']"
    bare_host.run("nft", "delete table netdev one")
    assert looks(bare_host, code)[0].count('"one"') == 2


def test_tables_that_come_and_go_meanwhile_are_there_or_not(bare_host):
    code = f"""
come_and_go = "while :; do nft '{ADDED}'; nft flush ruleset; done"
other = subprocess.Popen(["sh", "-c", come_and_go])
try:
    seen = {{len(list_tables(TABLES).tables or ()) for _ in range(100)}}
finally:
    other.kill()
    other.wait()
print(sorted(seen))
"""
    (seen,) = looks(bare_host, code)
    # Nothing; or one table or both, one with its chain.
    assert set(seen) <= set("[0123, ]")


def test_a_table_of_another_program_that_cannot_be_listed_is_not_in_the_way(bare_host):
    """Like a table of a newer release, which this nft cannot list completely."""
    bare_host.run("nft", ADDED)
    code = "found = list_tables(TABLES); print([len(found.tables), len(found.chains)])"
    assert looks(bare_host, code, refuse_listing_of_rulesets)[0] == looks(bare_host, code)[0]


def test_what_keeps_nft_from_listing_is_told(bare_host):
    code = """
import os
from ansible_collections.conductor.containers.plugins.module_utils._errors import EffectFailed
os.setgid(65534)
os.setuid(65534)
try:
    list_tables(TABLES)
except EffectFailed as error:
    print(error.message, error.hint)
"""
    said = "\n".join(looks(bare_host, code))
    assert "list tables failed" in said and "Operation not permitted" in said
