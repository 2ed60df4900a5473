# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other firewalls on this host, as the kernel has them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import replace

from .._errors import EffectFailed
from .._kernel.nft import list_rules, refusal
from .plan.foreign_firewalls import OtherChain, commands_for, other_chains, wish, with_rules


def look_at_others(chains: Iterable[dict], hook: str, accept: bool) -> tuple[OtherChain, ...]:
    """Those of all `chains` that others have at `hook`, with our rules in them; `accept`: our rules are wanted there.

    Of what cannot be looked at nothing is said: it must never be the end of other work.
    """
    return tuple(_look_at(chain, accept) for chain in other_chains(chains, hook))


def _look_at(chain: OtherChain, accept: bool) -> OtherChain:
    with contextlib.suppress(EffectFailed):
        chain = with_rules(chain, list_rules(chain.family, chain.table))
    action = wish(chain, accept)
    # firewalld, for one, owns its table: the kernel lets nobody else change it.
    return replace(chain, refused=refusal(commands_for(action))) if action else chain


def blocked_by(chains: Iterable[OtherChain], hook: str) -> list[str]:
    """What may drop containers' packets at `hook` ("forward", or "input" for those to the host), as far as can be told.

    Those of `chains` that drop by policy or at their end, and legacy iptables.
    """
    found = [str(chain) for chain in chains if chain.hook == hook and chain.blocks]
    for path, name in (("/proc/net/ip_tables_names", "iptables"), ("/proc/net/ip6_tables_names", "ip6tables")):
        # The old interface, of which nft shows nothing.
        try:
            with open(path, encoding="ascii") as file:
                if "filter" in file.read().split():
                    found.append(f"{name}-legacy filter (see {name}-legacy -S {hook.upper()})")
        except (FileNotFoundError, PermissionError):
            continue
    return sorted(found)
