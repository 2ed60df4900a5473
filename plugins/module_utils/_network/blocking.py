# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other firewalls on this host: an accept in our table does not overrule a drop in another one (nft(8))."""

from __future__ import annotations

from .._linux.nft import list_chains
from .._plan.firewall import TABLE

_FAMILIES = ("inet", "ip", "ip6")


def blocking_chains(hook: str) -> list[str]:
    """What may drop containers' packets at `hook` ("forward", or "input" for those to the host), as far as can be told.

    Base chains of others that drop by policy, firewalld's (which reject at their end), and legacy iptables.
    """
    found = []
    for chain in list_chains():
        if chain["family"] not in _FAMILIES or chain["table"] == TABLE or chain.get("hook") != hook:
            continue
        name = f"{chain['family']} {chain['table']} {chain['name']}"
        if chain.get("policy") == "drop":
            found.append(f"{name} (policy drop)")
        elif chain["table"] == "firewalld" and chain["name"].startswith("filter_"):
            found.append(f"{name} (rejects what no zone allows)")
    for path, name in (("/proc/net/ip_tables_names", "iptables"), ("/proc/net/ip6_tables_names", "ip6tables")):
        # The old interface, of which nft shows nothing.
        try:
            with open(path, encoding="ascii") as file:
                if "filter" in file.read().split():
                    found.append(f"{name}-legacy filter (see {name}-legacy -S {hook.upper()})")
        except (FileNotFoundError, PermissionError):
            continue
    return sorted(found)
