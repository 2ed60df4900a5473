# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address pools. No counter is kept: addresses in stored specs are taken, all others are free."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Collection, Iterable
from typing import Union

from ..._errors import Conflict, InvalidInput
from .address import parse_address

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def parse_pool(value: str, version: int) -> Network:
    """Return the option pool4 or pool6. Raises InvalidInput unless it is an IP network of `version` for containers."""
    try:
        if "%" in value:
            raise ValueError("it has a zone")
        pool = ipaddress.ip_network(value)
    except ValueError as error:
        raise InvalidInput(f"pool{version} {value!r} is not a network ({error})", "use the form 10.87.0.0/16") from None
    if pool.version != version or pool.num_addresses < 4 or pool.is_multicast or pool.is_loopback or pool.is_link_local:
        raise InvalidInput(
            f"pool{version} {value!r} cannot serve containers",
            f"use a private IPv{version} network of at least 4 addresses",
        )
    return pool


def gateway_of(pool: Network) -> str:
    """Return the first address of the pool, which the host has on every container's link."""
    return str(pool.network_address + 1)


def is_assignable(pool: Network, address: str) -> bool:
    """Return whether a container can have `address`: in `pool`, but not its network, broadcast or gateway address."""
    parsed = ipaddress.ip_address(address)
    return parsed in pool and int(pool.network_address) + 1 < int(parsed) < _end(pool)


def _end(pool: Network) -> int:
    # The last IPv4 address is the broadcast address; IPv6 has none.
    return int(pool.broadcast_address) + (pool.version == 6)


def parse_static(value: str, pool: Network) -> str:
    """Return the option ipv4 or ipv6 in canonical form. Raises InvalidInput."""
    option = f"ipv{pool.version}"
    address = parse_address(value, f"{option} {value!r}", f"use an address of pool{pool.version} ({pool})")
    if address.version != pool.version or not is_assignable(pool, str(address)):
        raise InvalidInput(
            f"{option} {value!r} cannot be a container's address",
            f"use an address of pool{pool.version} ({pool}) other than {gateway_of(pool)}, which is the gateway",
        )
    return str(address)


def allocate(pool: Network, taken: Collection[str]) -> str:
    """Return the lowest free address. The time depends on `taken`, not on the pool. Raises Conflict if none is free."""
    used = set(map(_number, taken))
    candidate = int(pool.network_address) + 2
    while candidate in used:
        candidate += 1
    if candidate >= _end(pool):
        raise Conflict(
            f"pool{pool.version} {pool} has no free address", f"remove containers, or set a larger pool{pool.version}"
        )
    return str(type(pool.network_address)(candidate))


@functools.lru_cache(maxsize=1 << 16)
def _number(address: str) -> int:
    """Return an address as a number. The addresses of all containers are read for each new one."""
    return int(ipaddress.ip_address(address))


# Address blocks that are not routed on the Internet (RFC 1918, RFC 6598, RFC 2544, RFC 4193).
_PRIVATE = tuple(
    ipaddress.ip_network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "fc00::/7")
)
_PUBLIC_BLOCK = {4: 8, 6: 16}


def overlapping(pool: Network, networks: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Return the first of `networks` (network, interface) whose addresses the pool would take over, or None.

    Such a network shares addresses with `pool` and is no wider than the block that the pool is from: the private block
    around the pool, or else its /8, or /16 for IPv6. A wider network is a route out of the host, like the default
    route, which VPNs also set in pieces: 0.0.0.0/1 and 128.0.0.0/1 of a full tunnel, or 8.0.0.0/7. The more specific
    routes of containers win over it, and no destination beyond it is addressed by a private address.
    """
    # If two networks overlap, the one with the longer prefix is part of the other.
    block = next(
        (b for b in _PRIVATE if b.version == pool.version and b.prefixlen <= pool.prefixlen and b.overlaps(pool)), None
    )
    widest = block.prefixlen if block else min(_PUBLIC_BLOCK[pool.version], pool.prefixlen)
    for network, interface in networks:
        other = ipaddress.ip_network(network, strict=False)
        if other.version == pool.version and other.prefixlen >= widest and other.overlaps(pool):
            return str(other), interface
    return None
