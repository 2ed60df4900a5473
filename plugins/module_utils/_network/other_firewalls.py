# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other firewalls on this host, as the kernel has them."""

from __future__ import annotations

from .._linux.nft import list_chains, list_rules
from .._plan.other_firewalls import OtherChain, other_chains, with_rules


def look_at_others(hook: str = "forward") -> tuple[OtherChain, ...]:
    """The base chains of others at `hook`, with our rules in them."""
    found = other_chains(list_chains(), hook)
    return tuple(with_rules(chain, list_rules(chain.family, chain.table, chain.name)) for chain in found)


def blocking_chains(hook: str) -> list[str]:
    """What may drop containers' packets at `hook` ("forward", or "input" for those to the host), as far as can be told.

    Base chains of others that drop by policy, firewalld's (which reject at their end), and legacy iptables.
    """
    found = [f"{chain.label} ({chain.why})" for chain in look_at_others(hook) if chain.blocks]
    for path, name in (("/proc/net/ip_tables_names", "iptables"), ("/proc/net/ip6_tables_names", "ip6tables")):
        # The old interface, of which nft shows nothing.
        try:
            with open(path, encoding="ascii") as file:
                if "filter" in file.read().split():
                    found.append(f"{name}-legacy filter (see {name}-legacy -S {hook.upper()})")
        except (FileNotFoundError, PermissionError):
            continue
    return sorted(found)
