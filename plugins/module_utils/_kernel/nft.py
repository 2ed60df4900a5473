# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program nft by its JSON interface (libnftables-json(5)). A batch is one transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .._errors import EffectFailed
from .run_program import ProgramFailed, require_program, run


def apply_batch(commands: list[dict]) -> None:
    """Apply all of `commands` or none of them. Raises EffectFailed with the output of nft."""
    if commands:
        nft = require_program("nft", "nftables")
        run([nft, "-j", "-f", "-"], stdin=json.dumps({"nftables": commands}).encode())


def check_batch(commands: list[dict]) -> str:
    """Return the reason why the kernel would refuse `commands`, in one line, or "". Changes nothing."""
    nft = require_program("nft", "nftables")
    try:
        run([nft, "--check", "-j", "-f", "-"], stdin=json.dumps({"nftables": commands}).encode())
    except EffectFailed as error:
        stderr = error.stderr if isinstance(error, ProgramFailed) else ""
        return (stderr or error.message).splitlines()[0].rpartition("Error: ")[2]
    return ""


class Listing(NamedTuple):
    """`tables`: the objects in the requested tables, None if none of these exist; `chains`: those of every table."""

    tables: list[dict] | None
    chains: list[dict]


def list_tables(tables: Iterable[tuple[str, str]]) -> Listing:
    """List `tables` (family, name), with protocols and ports as numbers (-n), and the chains of all tables.

    Runs nft once and lists whole families: nft 1.0.6 lists only the last of two tables in a run, and sometimes aborts
    if it gets its commands one by one. If a family cannot be listed because of a table of another program, each
    requested table is listed alone. Raises EffectFailed.
    """
    wanted = set(tables)
    families = [f"list ruleset {family}" for family in sorted({family for family, _ in wanted})]
    try:
        *listings, chains = list_objects("; ".join([*families, "list chains"]))
    except EffectFailed:
        listings, chains = _one_by_one(wanted), *list_objects("list chains")
    found = [item for listing in listings for item in listing if _place(item) in wanted]
    return Listing(found or None, [item["chain"] for item in chains if "chain" in item])


def _one_by_one(tables: Collection[tuple[str, str]]) -> list[list[dict]]:
    """Return a listing of each of `tables` that exists."""
    seen: set[tuple[str, str]] = set()
    while True:
        present = {
            place for item in list_objects("list tables")[0] if (place := _place(item)) is not None and place in tables
        }
        try:
            return [list_objects(f"list table {family} {name}")[0] for family, name in sorted(present)]
        except EffectFailed:
            # Another program may have deleted a table meanwhile, without our lock: try again.
            if present == seen:
                raise
            seen = present


def list_objects(commands: str) -> list[list[dict]]:
    """Run `commands`, each of which lists something, and return the objects of each listing."""
    nft = require_program("nft", "nftables")
    said = run([nft, "-j", "-n", commands])
    return [json.loads(line)["nftables"] for line in said.splitlines() if line.startswith(b"{")]


def _place(item: Mapping) -> tuple[str, str] | None:
    """Return family and name of the table that an object of a listing is or belongs to; None if it has no family."""
    ((kind, value),) = item.items()
    return (value["family"], value["name" if kind == "table" else "table"]) if "family" in value else None


def list_rules(family: str, table: str) -> dict[str, list[dict]]:
    """Return the rules of each chain of a table by the chain's name, each with its handle."""
    nft = require_program("nft", "nftables")
    listed = json.loads(run([nft, "-j", "list", "table", family, table]))["nftables"]
    rules: dict[str, list[dict]] = {}
    for item in listed:
        if "rule" in item:
            rules.setdefault(item["rule"]["chain"], []).append(item["rule"])
    return rules
