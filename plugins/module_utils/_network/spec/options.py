# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of conductor_network, parsed and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._errors import InvalidInput
from .network import (
    DEFAULT_MTU,
    parse_dns,
    parse_dns_options,
    parse_dns_search,
    parse_extra_hosts,
    parse_interface,
    parse_mac,
    parse_mtu,
)
from .pool import Network, parse_pool, parse_static
from .ports import Expose, parse_exposes


@dataclass(frozen=True)
class NetworkOptions:
    """The complete requested network. An address of None keeps the current one, or takes a free one of the pool."""

    pool4: Network
    pool6: Network
    ipv4: str | None = None
    ipv6: str | None = None
    mac: str | None = None
    mtu: int = DEFAULT_MTU
    internet: bool = False
    interface: str | None = None
    host_access: bool = True
    metadata: bool = False
    dns: tuple[str, ...] | None = None
    dns_search: tuple[str, ...] | None = None
    dns_options: tuple[str, ...] | None = None
    extra_hosts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    expose: tuple[Expose, ...] = ()

    @classmethod
    def parse(cls, params: Mapping[str, Any], pool4: str, pool6: str, interface: str | None) -> NetworkOptions:
        """Return the options from the module's `params` and the host's settings. Raises InvalidInput."""
        pools = {4: parse_pool(pool4, 4), 6: parse_pool(pool6, 6)}
        values: dict[str, Any] = {
            key: parse(params[key])
            for key, parse in (
                ("ipv4", lambda value: parse_static(value, pools[4])),
                ("ipv6", lambda value: parse_static(value, pools[6])),
                ("mac", parse_mac),
                ("mtu", parse_mtu),
                ("dns", parse_dns),
                ("dns_search", parse_dns_search),
                ("dns_options", parse_dns_options),
                ("extra_hosts", parse_extra_hosts),
                ("expose", parse_exposes),
                ("internet", bool),
                ("host_access", bool),
                ("metadata", bool),
            )
            if params.get(key) is not None
        }
        if interface and not values.get("internet"):
            if params.get("interface"):
                raise InvalidInput("interface is set, but internet is false", "set internet: true, or omit interface")
            interface = None
        if values.get("metadata") and not values.get("internet") and not values.get("host_access", True):
            raise InvalidInput(
                "metadata is true, but internet and host_access are false", "set internet: true or host_access: true"
            )
        values["interface"] = parse_interface(interface) if interface else None
        return cls(pools[4], pools[6], **values)
