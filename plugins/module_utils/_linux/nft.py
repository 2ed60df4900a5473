# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program nft, spoken to in JSON (libnftables-json(5)); a batch is one transaction."""

from __future__ import annotations

import json

from .._errors import EffectFailed
from .commands import require_program, run


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


def list_table(family: str, table: str) -> dict | None:
    """All of a table, with plain numbers (-n) for protocols and ports; None where there is no such table."""
    nft = require_program("nft", "nftables")
    seen: list[int] = []
    while True:
        try:
            return json.loads(run([nft, "-j", "-n", "list", "table", family, table]))
        except EffectFailed as error:
            # Telling "none" from "failed" by nft's words would depend on its release: ask for the names instead.
            names = json.loads(run([nft, "-j", "list", "tables"]))["nftables"]
            found = [t["table"]["handle"] for t in names if _is_table(t, family, table)]
            if not found:
                return None
            # One that was made after the first look, by whom no lock of ours keeps off, is there at the next.
            if found == seen:
                raise error
            seen = found


def _is_table(item: dict, family: str, table: str) -> bool:
    shown = item.get("table", {})
    return shown.get("family") == family and shown.get("name") == table


def list_chains() -> list[dict]:
    """Every chain of every table: family, table, name; base chains also type, hook, prio, policy."""
    nft = require_program("nft", "nftables")
    listed = json.loads(run([nft, "-j", "list", "chains"]))["nftables"]
    return [item["chain"] for item in listed if "chain" in item]


def list_rules(family: str, table: str) -> dict[str, list[dict]]:
    """The rules of each chain of a table, each with its handle."""
    nft = require_program("nft", "nftables")
    listed = json.loads(run([nft, "-j", "list", "table", family, table]))["nftables"]
    rules: dict[str, list[dict]] = {}
    for item in listed:
        if "rule" in item:
            rules.setdefault(item["rule"]["chain"], []).append(item["rule"])
    return rules
