# Copyright: (c) 2026, the conductor.containers authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of a Compose document as groups of peers, and the network options of a service.

Services of a common network may call each other on every port, as in Compose. Services without one may not.
https://github.com/compose-spec/compose-spec/blob/main/06-networks.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...._network.spec.network import (
    parse_dns,
    parse_dns_options,
    parse_dns_search,
    parse_extra_hosts,
    parse_mac,
)
from .node import Node, Refused, collected
from .ports import parse_ports

_DEFAULT = "default"
_NETWORK_KEYS = ("name", "driver", "driver_opts", "ipam", "external", "internal", "enable_ipv4", "enable_ipv6",
                 "attachable", "labels")  # fmt: skip
_REMEDIES = {
    "driver": "set bridge, or omit it",
    "enable_ipv4": "omit it: a network has both versions of IP",
    "enable_ipv6": "omit it: a network has both versions of IP",
    "external": "omit it, and add containers of other stacks as peers with conductor_peer, in a task after this one",
    "ipam": "omit it, and set pool4 and pool6 of conductor_network in defaults",
}
_ADDRESSES = {"ipv4_address": "ipv4", "ipv6_address": "ipv6", "mac_address": "mac"}
_OPTIONS = {
    "dns": ("dns", parse_dns),
    "dns_opt": ("dns_options", parse_dns_options),
    "dns_search": ("dns_search", parse_dns_search),
}


def parse_networks(node: Node | None, problems: list[Refused]) -> dict[str, bool]:
    """Return whether each declared network, and the default one, is internal."""
    internal = {_DEFAULT: False}
    networks: dict[str, Node] = {}
    with collected(problems):
        networks = node.members() if node is not None else {}
    for name, network in networks.items():
        internal[name] = False
        with collected(problems):
            for key, one in network.fields(_NETWORK_KEYS).items():
                with collected(problems):
                    if key == "internal":
                        internal[name] = one.boolean()
                    elif not _is_default(key, one):
                        raise one.refused("not supported", _REMEDIES.get(key, "omit it"))
    return internal


def _is_default(key: str, node: Node) -> bool:
    """Return whether the value of a key changes nothing. A network has no name of its own on the host."""
    if key in ("name", "attachable"):
        return True
    if key in ("enable_ipv4", "enable_ipv6"):
        return node.boolean()
    return not node.value or str(node.value).lower() == "false" or (key == "driver" and node.value == "bridge")


def service_networks(
    fields: Mapping[str, Node], internal: Mapping[str, bool], problems: list[Refused]
) -> tuple[list[str] | None, dict[str, Any]]:
    """Return the names of the networks of a service, None for no network, and its addresses as options.

    Some errors are added to `problems`, others raise Refused.
    """
    if "network_mode" in fields:
        _require_no_network(fields)
        return None, {}
    node = fields.get("networks")
    if node is None or not node.value:
        return [_DEFAULT], {}
    if isinstance(node.value, list):
        listed = {one.text(): Node(None, one.path) for one in node.entries()}
    else:
        listed = node.members()
    addresses: dict[str, Any] = {}
    for name, one in listed.items():
        if name not in internal:
            raise one.refused(f"network {name} is not declared", "correct it, or add it to networks of the document")
        for key, part in one.fields().items():
            with collected(problems):
                if key not in _ADDRESSES:
                    raise part.refused("not supported", "omit it: peers find a service by its name")
                if _ADDRESSES[key] in addresses:
                    raise part.refused("a container has one link for all its networks", "set it for one network only")
                addresses[_ADDRESSES[key]] = part.text()
    return list(listed), addresses


def _require_no_network(fields: Mapping[str, Node]) -> None:
    mode = fields["network_mode"]
    if mode.text() != "none":
        raise mode.refused(
            f"{mode.value!r} is not supported", "omit it for a network of its own, or set none for no network"
        )
    for key in ("networks", "ports", "mac_address", *_OPTIONS, "extra_hosts"):
        if key in fields:
            raise fields[key].refused("network_mode is none", f"omit {key}, or network_mode")


def network_options(fields: Mapping[str, Node], problems: list[Refused]) -> dict[str, Any]:
    """Return options of conductor_network from ports, names and the MAC address of a service."""
    found: dict[str, Any] = {}
    if "ports" in fields:
        with collected(problems):
            found["expose"] = parse_ports(fields["ports"], problems)
    for key, (option, parse) in _OPTIONS.items():
        if key in fields:
            with collected(problems):
                values = fields[key].texts()
                fields[key].checked(lambda parse=parse, values=values: parse(values), option)  # type: ignore[misc]
                found[option] = values
    if "mac_address" in fields:
        with collected(problems):
            found["mac"] = fields["mac_address"].checked(lambda: parse_mac(fields["mac_address"].text()), "mac")
    if "extra_hosts" in fields:
        with collected(problems):
            found["extra_hosts"] = _extra_hosts(fields["extra_hosts"])
    return found


def _extra_hosts(node: Node) -> dict[str, list[str]]:
    """Return `HOST=ADDRESS` or `HOST:ADDRESS` of a list, or a mapping, as a mapping of lists."""
    hosts: dict[str, list[str]] = {}
    if isinstance(node.value, list):
        for one in node.entries():
            host, separator, address = one.text().partition("=" if "=" in one.text() else ":")
            if not separator:
                raise one.refused(f"{host!r} is not HOST=ADDRESS", "write it like db=192.0.2.7")
            hosts.setdefault(host, []).append(address.strip("[]"))
    else:
        for host, one in node.members().items():
            hosts[host] = [address.strip("[]") for address in one.texts()]
    node.checked(lambda: parse_extra_hosts(hosts), "extra_hosts")
    return hosts


def peers_of(networks: Mapping[str, Sequence[str]], counts: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the peers of each service: those behind it, in both directions, of a common network.

    `counts`: the number of containers of each service; those of one service are peers, too.
    """
    names = list(networks)
    return {
        name: [
            other
            for other in names[index:]
            if set(networks[name]) & set(networks[other])
            and (other != name or counts[name] > 1)
            and counts[name] > 0 < counts[other]
        ]
        for index, name in enumerate(names)
    }
