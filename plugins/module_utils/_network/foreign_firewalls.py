# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains of other firewalls on this host, as listed by the kernel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace

from .._errors import EffectFailed
from .._kernel.nft import check_batch, list_rules
from .plan.foreign_firewalls import ForeignChain, commands_for, foreign_chains, plan_chain, refusal, with_rules


def read_foreign_chains(chains: Iterable[dict], hook: str, accept: bool) -> tuple[ForeignChain, ...]:
    """Return the base chains at `hook` that belong to other firewalls, each with our rules in it.

    `chains` lists the base chains of all tables; `accept` says whether our rules are wanted there. A chain that cannot
    be listed is returned without its rules: it must never make other work fail.
    """
    return tuple(_read_chain(chain, accept) for chain in foreign_chains(chains, hook))


def _read_chain(chain: ForeignChain, accept: bool) -> ForeignChain:
    with contextlib.suppress(EffectFailed):
        chain = with_rules(chain, list_rules(chain.family, chain.table))
    action = plan_chain(chain, accept)
    if action is None:
        return chain
    # firewalld owns its table: the kernel allows no other process to change it.
    return replace(chain, refused=refusal(action) or check_batch(commands_for(action)))


def blocked_by(chains: Iterable[ForeignChain], hook: str) -> list[str]:
    """Return the chains and tables that may drop containers' packets at `hook`.

    `hook` is "forward", or "input" for packets to the host. The list has those of `chains` that drop by policy or by a
    final rule, and the filter tables of legacy iptables. Other rules may drop packets too; they are not analyzed.
    """
    found = [str(chain) for chain in chains if chain.hook == hook and chain.blocks]
    for path, name in (("/proc/net/ip_tables_names", "iptables"), ("/proc/net/ip6_tables_names", "ip6tables")):
        # nft does not list tables of the legacy interface.
        try:
            with open(path, encoding="ascii") as file:
                if "filter" in file.read().split():
                    found.append(f"{name}-legacy filter (see {name}-legacy -S {hook.upper()})")
        except (FileNotFoundError, PermissionError):
            continue
    return sorted(found)
