# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program nft, spoken to in JSON (libnftables-json(5)); a batch is one transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .._errors import EffectFailed
from .run_program import require_program, run


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

    One run of nft: families as a whole, since its release 1.0.6 lists but the last of two tables in a run, and breaks
    off now and then where it is given commands one by one. A table of somebody else in there that cannot be listed is
    no reason to fail: then each is listed alone. Raises EffectFailed.
    """
    wanted = set(tables)
    families = [f"list ruleset {family}" for family in sorted({family for family, _ in wanted})]
    try:
        *listings, chains = _listings("; ".join([*families, "list chains"]))
    except EffectFailed:
        listings, chains = _one_by_one(wanted), *_listings("list chains")
    found = [item for listing in listings for item in listing if _place(item) in wanted]
    return Listing(found or None, [item["chain"] for item in chains if "chain" in item])


def _one_by_one(tables: Collection[tuple[str, str]]) -> list[list[dict]]:
    """The listings of those of `tables` that exist."""
    seen: set[tuple[str, str]] = set()
    while True:
        there = {
            place for item in _listings("list tables")[0] if (place := _place(item)) is not None and place in tables
        }
        try:
            return [_listings(f"list table {family} {name}")[0] for family, name in sorted(there)]
        except EffectFailed:
            # One was deleted meanwhile, by whom no lock of ours keeps off; or it is another trouble, which stays.
            if there == seen:
                raise
            seen = there


def _listings(commands: str) -> list[list[dict]]:
    """What nft says to each of `commands`, which all list something."""
    nft = require_program("nft", "nftables")
    said = run([nft, "-j", "-n", commands])
    return [json.loads(line)["nftables"] for line in said.splitlines() if line.startswith(b"{")]


def _place(item: Mapping) -> tuple[str, str] | None:
    """Family and name of the table that an object of a listing belongs to, or is."""
    ((kind, shown),) = item.items()
    return (shown["family"], shown["name" if kind == "table" else "table"]) if "family" in shown else None


def list_rules(family: str, table: str) -> dict[str, list[dict]]:
    """The rules of each chain of a table, each with its handle."""
    nft = require_program("nft", "nftables")
    listed = json.loads(run([nft, "-j", "list", "table", family, table]))["nftables"]
    rules: dict[str, list[dict]] = {}
    for item in listed:
        if "rule" in item:
            rules.setdefault(item["rule"]["chain"], []).append(item["rule"])
    return rules
