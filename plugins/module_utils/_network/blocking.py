# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other firewalls on this host: an accept in our table does not overrule a drop in another one (nft(8))."""

from __future__ import annotations

from .._linux.nft import list_chains
from .._plan.firewall import TABLE

_FAMILIES, _HOOKS = ("inet", "ip", "ip6"), ("forward", "input")


def blocking_chains() -> list[str]:
    """What may drop packets of containers: base chains of others that drop by policy, and rules of legacy iptables."""
    found = [
        f"{chain['family']} {chain['table']} {chain['name']} (policy drop)"
        for chain in list_chains()
        if chain["table"] != TABLE
        and chain["family"] in _FAMILIES
        and chain.get("hook") in _HOOKS
        and chain.get("policy") == "drop"
    ]
    for path, name in (("/proc/net/ip_tables_names", "iptables"), ("/proc/net/ip6_tables_names", "ip6tables")):
        # The old interface, of which nft shows nothing.
        try:
            with open(path, encoding="ascii") as file:
                if "filter" in file.read().split():
                    found.append(f"{name}-legacy filter (see {name}-legacy -S)")
        except (FileNotFoundError, PermissionError):
            continue
    return sorted(found)
