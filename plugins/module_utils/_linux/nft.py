# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program nft, spoken to in JSON (libnftables-json(5)); a batch is one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from .._errors import EffectFailed
from .commands import require_program, run

# Somebody else may make or delete a table of ours while it is looked at, and again.
_LOOKS = 10


def apply_batch(commands: list[dict]) -> None:
    """Carry out `commands` together or not at all. Raises EffectFailed with what nft said."""
    if commands:
        nft = require_program("nft", "nftables")
        run([nft, "-j", "-f", "-"], stdin=json.dumps({"nftables": commands}).encode())


def refusal(commands: list[dict]) -> str:
    """Why the kernel would refuse `commands`, in one line; "" if it would not. Changes nothing."""
    nft = require_program("nft", "nftables")
    try:
        run([nft, "--check", "-j", "-f", "-"], stdin=json.dumps({"nftables": commands}).encode())
    except EffectFailed as error:
        said = (error.hint or str(error)).strip().splitlines()
        return (said[0] if said else "refused").rpartition("Error: ")[2]
    return ""


class Listing(NamedTuple):
    """`tables`: all that is in those that were asked for and exist, None for none; `chains`: those of every table."""

    tables: list[dict] | None
    chains: list[dict]


def look(tables: Iterable[tuple[str, str]]) -> Listing:
    """What is in `tables` (family, name), with plain numbers (-n) for protocols and ports, and which chains there are.

    One run of nft, which carries out a line of its input after the other: in one command its release 1.0.6 lists but
    the last family. Raises EffectFailed.
    """
    tables = list(tables)
    lines = ["list tables", *(f"list table {family} {name}" for family, name in tables), "list chains"]
    nft = require_program("nft", "nftables")
    for _ in range(_LOOKS):
        # It would keep its input in a file of its user's home.
        said = run([nft, "-j", "-n", "-i"], stdin="\n".join(lines).encode() + b"\n", home="/nonexistent")
        found = [json.loads(line)["nftables"] for line in said.splitlines() if line.startswith(b"{")]
        if len(found) < 2:
            # Nothing can be listed: alone it says why.
            run([nft, "-j", "list", "tables"])
            continue
        listed = [item for listing in found[1:-1] for item in listing]
        # A table that is not there is an error to nft, and none to us; one that was made meanwhile is at the next look.
        if _names(listed, tables) >= _names(found[0], tables):
            return Listing(listed or None, [item["chain"] for item in found[-1] if "chain" in item])
    raise EffectFailed("nft lists tables, and does not show what is in them", "see: nft list ruleset")


def _names(items: Iterable[dict], tables: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    shown = {(item["table"]["family"], item["table"]["name"]) for item in items if "table" in item}
    return shown & set(tables)


def list_rules(family: str, table: str) -> dict[str, list[dict]]:
    """The rules of each chain of a table, each with its handle."""
    nft = require_program("nft", "nftables")
    listed = json.loads(run([nft, "-j", "list", "table", family, table]))["nftables"]
    rules: dict[str, list[dict]] = {}
    for item in listed:
        if "rule" in item:
            rules.setdefault(item["rule"]["chain"], []).append(item["rule"])
    return rules
